// Pictures: an 8-bit RGB canvas with rectangles, small text and heat maps, written as PNG (libpng).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heed::io {

using Color = std::array<std::uint8_t, 3>;

class Canvas {
 public:
  Canvas(int width, int height, Color background = {255, 255, 255});
  [[nodiscard]] int width() const { return width_; }
  [[nodiscard]] int height() const { return height_; }
  /// Pixels outside the canvas are ignored, here and below.
  void set(int x, int y, Color color);
  [[nodiscard]] Color get(int x, int y) const;
  void fill(int x, int y, int width, int height, Color color);
  /// Printable ASCII in an 8 x 8 bitmap font, `zoom` times as large; other characters appear as a box. Returns the width in pixels.
  int text(int x, int y, std::string_view line, Color color, int zoom = 1);
  [[nodiscard]] static int text_width(std::string_view line, int zoom = 1);
  /// Values in [0, 1] (NaN: grey) as a rows x columns map, each `zoom` x `zoom` pixels, coloured by heat().
  void map(int x, int y, std::span<const float> values, int rows, int columns, int zoom = 1);
  [[nodiscard]] const std::vector<std::uint8_t>& pixels() const { return pixels_; }

 private:
  int width_, height_;
  std::vector<std::uint8_t> pixels_;  // [height, width, 3]
};

/// A perceptually even ramp from white through orange to black-violet for 0 to 1: dark is much.
[[nodiscard]] Color heat(float value);

/// Throws Error like write_file.
void write_png(const std::string& path, const Canvas& canvas);

}  // namespace heed::io
