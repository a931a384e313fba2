#include "naive.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/dtype.hpp"
#include "plan/body.hpp"

namespace heed::tool {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

double element(const TensorView& tensor, std::int64_t b, std::int64_t h, std::int64_t t, std::int64_t c) {
  return real_at(tensor, b * tensor.strides[0] + h * tensor.strides[1] + t * tensor.strides[2] + c * tensor.strides[3]);
}

/// The final score of one key in f32; -inf where it is hidden.
float score_of(const plan::Body& body, const Inputs& inputs, formula::Place place, std::int64_t i, std::int64_t j) {
  if (body.mask.at(place).integer == 0) return kNothing;
  float dot = 0;
  for (std::int64_t c = 0; c < body.problem.dim; ++c) {
    dot += static_cast<float>(element(inputs.q, place.b, place.h, i, c)) * static_cast<float>(element(inputs.k, place.b, place.g, j, c));
  }
  place.s = static_cast<float>(body.scale) * dot;
  return static_cast<float>(body.score.at(place).real);
}

}  // namespace

double rounded_to(DType dtype, double value) {
  switch (dtype) {
    case DType::kBF16:
      return f32_from(bf16_from(value));
    case DType::kF16:
      return f32_from(f16_from(value));
    case DType::kF64:
      return value;
    default:
      return static_cast<float>(value);
  }
}

double unit_in_last_place(DType dtype, double value) {
  const auto [bits, least] = dtype == DType::kBF16  ? std::pair{7, -133}
                             : dtype == DType::kF16 ? std::pair{10, -24}
                             : dtype == DType::kF64 ? std::pair{52, -1074}
                                                    : std::pair{23, -149};
  if (value == 0 || !std::isfinite(value)) return std::ldexp(1.0, least);
  return std::ldexp(1.0, std::max(std::ilogb(value) - bits, least));
}

void naive_row(const Plan& plan, const Inputs& inputs, std::int64_t b, std::int64_t h, std::int64_t i, std::span<double> o) {
  const plan::Body& body = plan.body();
  const std::int64_t g = body.layout.kv_head(h), keys = body.layout.keys;
  std::vector<float> p(static_cast<std::size_t>(keys));
  const float sink = body.has_sink() ? static_cast<float>(body.sink(h)) : kNothing;
  float m = sink;
  for (std::int64_t j = 0; j < keys; ++j) {
    const float s = score_of(body, inputs,
                             {.q = body.layout.query_position(b, i), .k = body.layout.first_key + j, .b = b, .h = h, .g = g, .s = 0}, i, j);
    p[static_cast<std::size_t>(j)] = s;
    m = s > m || std::isnan(s) ? s : m;
  }
  std::fill(o.begin(), o.end(), 0.0);
  if (m == kNothing) return;
  float l = sink == kNothing ? 0.0f : std::exp(sink - m);
  for (float& s : p) l += s = s == kNothing ? 0.0f : std::exp(s - m);
  std::vector<float> sums(o.size());
  for (std::int64_t j = 0; j < keys; ++j) {
    const float weight = p[static_cast<std::size_t>(j)];
    if (weight == 0) continue;
    const auto rounded = static_cast<float>(rounded_to(body.problem.dtype, weight / l));
    for (std::size_t c = 0; c < sums.size(); ++c)
      sums[c] += rounded * static_cast<float>(element(inputs.v, b, g, j, static_cast<std::int64_t>(c)));
  }
  for (std::size_t c = 0; c < o.size(); ++c) o[c] = rounded_to(body.problem.dtype, sums[c]);
}

}  // namespace heed::tool
