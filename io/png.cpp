// The canvas and its way into a PNG file, by libpng's simplified interface, which catches its own errors.
//
// heat() interpolates 17 stops whose OKLab lightness falls in equal steps from 1 to 0.14 while the hue goes from yellow over orange and
// red to violet (https://bottosson.github.io/posts/oklab/).
// Checked in png_test.cpp, which reads the pictures back.
#include "io/png.hpp"

#include <png.h>

#include <algorithm>
#include <cmath>

#include <heed/error.hpp>

#include "io/file.hpp"
#include "io/font.hpp"

namespace heed::io {
namespace {

constexpr int kLargestSide = 16384;  // keeps the bytes below the 2^32 of libpng's simplified interface
constexpr int kCell = 8;             // of the font
constexpr Color kGrey{160, 160, 160};

constexpr std::array<Color, 17> kStops{{{255, 255, 255},
                                        {250, 236, 205},
                                        {245, 215, 164},
                                        {240, 193, 126},
                                        {235, 170, 90},
                                        {228, 147, 57},
                                        {220, 123, 25},
                                        {208, 100, 1},
                                        {193, 79, 2},
                                        {181, 51, 28},
                                        {161, 29, 47},
                                        {137, 10, 58},
                                        {110, 3, 68},
                                        {81, 5, 70},
                                        {54, 6, 63},
                                        {30, 6, 48},
                                        {11, 4, 27}}};

/// The bytes behind the first of a UTF-8 character.
bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

void check_zoom(int zoom) {
  if (zoom < 1) throw Error({"the zoom is too small", "canvas", "at least 1", std::to_string(zoom)});
}

}  // namespace

Canvas::Canvas(int width, int height, Color background) : width_(width), height_(height) {
  if (width < 1 || height < 1 || width > kLargestSide || height > kLargestSide) {
    throw Error({"no picture has this size", "canvas", "sides from 1 to 16384", std::to_string(width) + " x " + std::to_string(height)});
  }
  pixels_.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  fill(0, 0, width, height, background);
}

void Canvas::set(int x, int y, Color color) {
  fill(x, y, 1, 1, color);
}

Color Canvas::get(int x, int y) const {
  if (x < 0 || y < 0 || x >= width_ || y >= height_) {
    throw Error({"the pixel lies outside", "canvas", std::to_string(width_) + " x " + std::to_string(height_),
                 std::to_string(x) + ", " + std::to_string(y)});
  }
  const std::size_t at = (static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x)) * 3;
  return {pixels_[at], pixels_[at + 1], pixels_[at + 2]};
}

void Canvas::fill(int x, int y, int width, int height, Color color) {
  const std::int64_t left = std::max(x, 0), top = std::max(y, 0);
  const std::int64_t right = std::min<std::int64_t>(std::int64_t{x} + width, width_);
  const std::int64_t bottom = std::min<std::int64_t>(std::int64_t{y} + height, height_);
  for (std::int64_t row = top; row < bottom; ++row) {
    for (std::int64_t column = left; column < right; ++column) {
      std::ranges::copy(color, pixels_.begin() + (row * width_ + column) * 3);
    }
  }
}

int Canvas::text(int x, int y, std::string_view line, Color color, int zoom) {
  check_zoom(zoom);
  std::int64_t left = x;
  for (const char character : line) {
    if (is_continuation(character)) continue;
    const Glyph& glyph = glyph_of(character);
    for (int cell = 0; cell < kCell * kCell && left < width_; ++cell) {
      const int row = cell / kCell, column = cell % kCell;
      const bool inked = ((glyph[static_cast<std::size_t>(row)] >> (kCell - 1 - column)) & 1) != 0;
      if (inked) fill(static_cast<int>(left) + column * zoom, y + row * zoom, zoom, zoom, color);
    }
    left += std::int64_t{kCell} * zoom;
  }
  return text_width(line, zoom);
}

int Canvas::text_width(std::string_view line, int zoom) {
  check_zoom(zoom);
  const auto characters = std::ranges::count_if(line, [](char byte) { return !is_continuation(byte); });
  return static_cast<int>(characters) * kCell * zoom;
}

void Canvas::map(int x, int y, std::span<const float> values, int rows, int columns, int zoom) {
  check_zoom(zoom);
  if (rows < 0 || columns < 0 || values.size() != static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns)) {
    throw Error({"the map's values are not rows x columns", "canvas", std::to_string(rows) + " x " + std::to_string(columns),
                 std::to_string(values.size()) + " values"});
  }
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const float value = values[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) + static_cast<std::size_t>(column)];
      fill(x + column * zoom, y + row * zoom, zoom, zoom, heat(value));
    }
  }
}

Color heat(float value) {
  if (std::isnan(value)) return kGrey;
  const float place = std::clamp(value, 0.0F, 1.0F) * static_cast<float>(kStops.size() - 1);
  const auto low = std::min(static_cast<std::size_t>(place), kStops.size() - 2);
  const float part = place - static_cast<float>(low);
  Color color{};
  for (std::size_t i = 0; i < color.size(); ++i) {
    const auto from = static_cast<float>(kStops[low][i]), to = static_cast<float>(kStops[low + 1][i]);
    color[i] = static_cast<std::uint8_t>(std::lround(from + part * (to - from)));
  }
  return color;
}

void write_png(const std::string& path, const Canvas& canvas) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(canvas.width());
  image.height = static_cast<png_uint_32>(canvas.height());
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::byte> bytes(size);
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, canvas.pixels().data(), 0, nullptr) == 0) {
    throw Error({"the picture cannot be encoded", path, "", image.message});
  }
  write_file(path, [&](const Sink& sink) { sink(bytes.data(), size); });
}

}  // namespace heed::io
