// The canvas pixel by pixel, the ramp of colours, and pictures read back by libpng.
#include "io/png.hpp"

#include <gtest/gtest.h>
#include <png.h>

#include <cmath>
#include <limits>
#include <set>

#include "io/font.hpp"
#include "io/test_support.hpp"

namespace heed::io {
namespace {

using test::expect_error;
using test::Folder;

constexpr Color kWhite{255, 255, 255}, kBlack{0, 0, 0}, kRed{255, 0, 0};

int count_of_color(const Canvas& canvas, Color color) {
  int found = 0;
  for (int y = 0; y < canvas.height(); ++y) {
    for (int x = 0; x < canvas.width(); ++x) found += canvas.get(x, y) == color ? 1 : 0;
  }
  return found;
}

TEST(Canvas, BeginsInItsBackground) {
  const Canvas canvas(3, 2, kRed);
  EXPECT_EQ(canvas.pixels().size(), 18U);
  EXPECT_EQ(count_of_color(canvas, kRed), 6);
}

TEST(Canvas, SizesFrom1To16384AreLegal) {
  expect_error([] { (void)Canvas(0, 5); }, {"no picture has this size", "0 x 5"});
  expect_error([] { (void)Canvas(5, -1); }, {"5 x -1"});
  expect_error([] { (void)Canvas(16385, 1); }, {"16385 x 1"});
}

TEST(Canvas, FillsAreCutAtTheEdges) {
  Canvas canvas(4, 3);
  canvas.fill(-2, -2, 4, 4, kRed);
  EXPECT_EQ(count_of_color(canvas, kRed), 4);
  canvas.fill(3, 2, std::numeric_limits<int>::max(), std::numeric_limits<int>::max(), kBlack);
  EXPECT_EQ(count_of_color(canvas, kBlack), 1);
  canvas.fill(0, 0, -5, 3, kBlack);
  canvas.set(4, 0, kBlack);
  canvas.set(0, -1, kBlack);
  EXPECT_EQ(count_of_color(canvas, kBlack), 1);
  EXPECT_EQ(canvas.get(1, 1), kRed);
  EXPECT_EQ(canvas.get(3, 2), kBlack);
}

TEST(Canvas, APixelOutsideCannotBeRead) {
  expect_error([] { (void)Canvas(2, 2).get(2, 0); }, {"outside", "2 x 2", "2, 0"});
}

TEST(Text, DrawsTheGlyphAtItsZoom) {
  Canvas canvas(40, 30);
  EXPECT_EQ(canvas.text(4, 2, "I", kBlack, 2), 16);
  const Glyph& glyph = glyph_of('I');
  int inked = 0;
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      const bool ink = ((glyph[static_cast<std::size_t>(y)] >> (7 - x)) & 1) != 0;
      inked += ink ? 4 : 0;
      EXPECT_EQ(canvas.get(4 + 2 * x + 1, 2 + 2 * y + 1), ink ? kBlack : kWhite);
    }
  }
  EXPECT_EQ(count_of_color(canvas, kBlack), inked);
}

TEST(Text, WidthCountsCharactersNotBytes) {
  EXPECT_EQ(Canvas::text_width("abc"), 24);
  EXPECT_EQ(Canvas::text_width("a\xE2\x89\xA4z", 2), 48);
  EXPECT_EQ(Canvas::text_width(""), 0);
  Canvas canvas(20, 8);
  EXPECT_EQ(canvas.text(0, 0, "\xC3\xA4", kBlack), 8);
  EXPECT_EQ(canvas.get(0, 0), kBlack);  // the corner of the box
}

TEST(Text, IsCutAtTheEdges) {
  Canvas canvas(8, 8);
  canvas.text(-100, -3, std::string(1000, 'W'), kBlack, 3);
  EXPECT_GT(count_of_color(canvas, kBlack), 0);
}

TEST(Text, AZoomBelow1IsAnError) {
  Canvas canvas(8, 8);
  expect_error([&] { canvas.text(0, 0, "a", kBlack, 0); }, {"zoom", "found 0"});
}

TEST(Font, GlyphsDifferAndLeaveTheLastColumnFree) {
  std::set<Glyph> seen;
  for (const Glyph& glyph : kFont) {
    EXPECT_TRUE(seen.insert(glyph).second);
    for (const std::uint8_t row : glyph) EXPECT_EQ(row & 1, 0);
  }
  EXPECT_EQ(seen.size(), 96U);
  EXPECT_EQ(glyph_of(' '), Glyph{});
  EXPECT_EQ(glyph_of('\n'), kFont[95]);
  EXPECT_EQ(glyph_of('\xFF'), kFont[95]);
}

/// Perceived lightness, from the definition of OKLab.
double lightness(Color color) {
  std::array<double, 3> linear{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double c = color[i] / 255.0;
    linear[i] = c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  }
  const auto [r, g, b] = linear;
  return 0.2104542553 * std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) +
         0.7936177850 * std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) -
         0.0040720468 * std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
}

TEST(Heat, DarkensEvenlyFromWhite) {
  EXPECT_EQ(heat(0.0F), kWhite);
  for (int i = 0; i <= 100; ++i) {
    const double value = i / 100.0;
    EXPECT_NEAR(lightness(heat(static_cast<float>(value))), 1.0 - 0.86 * value, 0.012) << value;
  }
}

TEST(Heat, IsDefinedForEveryFloat) {
  EXPECT_EQ(heat(-1.0F), heat(0.0F));
  EXPECT_EQ(heat(2.0F), heat(1.0F));
  EXPECT_EQ(heat(std::numeric_limits<float>::infinity()), heat(1.0F));
  const Color grey{160, 160, 160};
  EXPECT_EQ(heat(std::nanf("")), grey);
}

TEST(Map, PlacesValuesInRowsAndColumns) {
  Canvas canvas(10, 10);
  const std::array<float, 6> values{0.1F, 0.2F, 0.3F, 0.4F, 0.5F, std::nanf("")};
  canvas.map(1, 2, values, 2, 3, 3);
  EXPECT_EQ(canvas.get(1, 2), heat(0.1F));
  EXPECT_EQ(canvas.get(9, 4), heat(0.3F));
  EXPECT_EQ(canvas.get(1, 5), heat(0.4F));
  EXPECT_EQ(canvas.get(8, 7), heat(std::nanf("")));
  EXPECT_EQ(canvas.get(0, 2), kWhite);
  EXPECT_EQ(canvas.get(1, 8), kWhite);
}

TEST(Map, AWrongNumberOfValuesIsAnError) {
  Canvas canvas(10, 10);
  const std::array<float, 5> values{};
  expect_error([&] { canvas.map(0, 0, values, 2, 3); }, {"expected 2 x 3", "found 5 values"});
  expect_error([&] { canvas.map(0, 0, values, -5, -1); }, {"-5 x -1"});
}

TEST(WritePng, ComesBackPixelByPixel) {
  const Folder folder;
  Canvas canvas(37, 23, {1, 2, 3});
  canvas.text(2, 3, "heed", kRed);
  write_png(folder.file("a.png"), canvas);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  ASSERT_NE(png_image_begin_read_from_file(&image, folder.file("a.png").c_str()), 0) << image.message;
  EXPECT_EQ(image.width, 37U);
  EXPECT_EQ(image.height, 23U);
  image.format = PNG_FORMAT_RGB;
  std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image));
  ASSERT_NE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr), 0) << image.message;
  EXPECT_EQ(pixels, canvas.pixels());
}

TEST(WritePng, AFullDiskAndAMissingFolderAreErrors) {
  const Canvas canvas(2, 2);
  test::expect_no_space([&](const std::string& path) { write_png(path, canvas); });
  expect_error([&] { write_png("/nowhere/a.png", canvas); }, {"/nowhere/a.png", "No such file or directory"});
}

}  // namespace
}  // namespace heed::io
