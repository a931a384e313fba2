#include "reference/score_rounding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace heed::reference {
namespace {

constexpr double kFelt = 16;  // size of a score from which on its rounding counts by itself
constexpr double kHidden = -std::numeric_limits<double>::infinity();

/// A final score and where it may lie.
struct Score {
  double value = kHidden, low = kHidden, high = kHidden;
};

class Rounding {
 public:
  Rounding(const plan::Body& body, const Inputs& in)
      : body_(body),
        in_(in),
        unit_(body.problem.dtype == DType::kF64 ? 0x1p-53 : 0x1p-24),
        row_(static_cast<std::size_t>(body.problem.dim)) {}

  /// Binds the keys of one head.
  void bind(std::int64_t b, std::int64_t h) {
    b_ = b;
    h_ = h;
    g_ = body_.layout.kv_head(h);
    keys_.clear();
    longest_ = 0;
    for (std::int64_t j = 0; j < body_.layout.keys; ++j) {
      double squares = 0;
      for (std::int64_t c = 0; c < body_.problem.dim; ++c) {
        keys_.push_back(element(in_.k, g_, j, c));
        squares += keys_.back() * keys_.back();
      }
      longest_ = std::max(longest_, std::sqrt(squares));
    }
    scores_.assign(static_cast<std::size_t>(body_.layout.keys), {});
  }

  void row(std::int64_t i, const TensorSpan& to) {
    double squares = 0;
    for (std::int64_t c = 0; c < body_.problem.dim; ++c) {
      const double value = row_[static_cast<std::size_t>(c)] = element(in_.q, h_, i, c);
      squares += value * value;
    }
    const bool felt = !(body_.score.empty() && std::abs(body_.scale) * std::sqrt(squares) * longest_ < kFelt) && score_row(i);
    const double lse = felt ? log_sum_exp() : kHidden;
    for (std::int64_t c = 0; c < body_.problem.value_dim; ++c) {
      const std::int64_t at = b_ * to.strides[0] + h_ * to.strides[1] + i * to.strides[2] + c * to.strides[3];
      static_cast<double*>(to.data)[at] = felt ? moved(c, lse) : 0;
    }
  }

 private:
  [[nodiscard]] double element(const TensorView& tensor, std::int64_t h, std::int64_t t, std::int64_t c) const {
    return real_at(tensor, b_ * tensor.strides[0] + h * tensor.strides[1] + t * tensor.strides[2] + c * tensor.strides[3]);
  }

  [[nodiscard]] double final_score(formula::Place place, double s) const {
    place.s = s;
    const formula::Value value = body_.score.at(place);
    return value.broken < 0 ? value.real : std::nan("");
  }

  /// Scores of one row; false where none reaches kFelt.
  bool score_row(std::int64_t i) {
    double largest = 0;
    for (std::int64_t j = 0; j < body_.layout.keys; ++j) {
      Score& score = scores_[static_cast<std::size_t>(j)];
      score = {};
      const formula::Place place = body_.layout.place(b_, h_, i, j);
      if (!body_.mask.at(place).integer) continue;
      double s = 0, x = 0;
      const double* const key = keys_.data() + j * body_.problem.dim;
      for (std::size_t c = 0; c < row_.size(); ++c) {
        const double product = row_[c] * key[c];
        s += product;
        x += std::abs(product);
      }
      s *= body_.scale;
      const double off = unit_ * std::abs(body_.scale) * x;
      score = {s, s - off, s + off};
      if (!body_.score.empty()) {
        const double value = final_score(place, s), below = final_score(place, s - off), above = final_score(place, s + off);
        score = {value, std::min({value, below, above}), std::max({value, below, above})};
      }
      if (!std::isinf(score.value)) {
        score.low -= unit_ * std::abs(score.value);
        score.high += unit_ * std::abs(score.value);
        largest = std::max({largest, std::abs(s), std::abs(score.value)});
      }
    }
    return largest >= kFelt;
  }

  [[nodiscard]] double log_sum_exp() const {
    const double sink = body_.has_sink() ? body_.sink(h_) : kHidden;
    double m = sink, l = 0;
    for (const Score& score : scores_) m = std::max(m, score.value);
    if (m == kHidden) return kHidden;
    for (const Score& score : scores_) l += std::exp(score.value - m);
    return m + std::log(l + std::exp(sink - m));
  }

  /// How far the weight of a key may move, before it is normalised again.
  static double weight_moved(const Score& score, double lse) {
    if (score.value == kHidden) return std::exp(score.high - lse);
    const double p = std::exp(score.value - lse), up = score.high - score.value;
    return std::max(up < 1 ? p * std::expm1(up) : std::exp(score.high - lse) - p, -p * std::expm1(score.low - score.value));
  }

  /// How far component c of O may move; 0 where O itself is NaN or infinite, or nothing is seen.
  [[nodiscard]] double moved(std::int64_t c, double lse) const {
    double o = 0, sum = 0, farthest = 0, least = body_.has_sink() ? std::exp(body_.sink(h_) - lse) : 0;
    const auto value = [&](std::size_t j) { return element(in_.v, g_, static_cast<std::int64_t>(j), c); };
    for (std::size_t j = 0; j < scores_.size(); ++j) {
      if (scores_[j].value != kHidden) o += std::exp(scores_[j].value - lse) * value(j);
    }
    for (std::size_t j = 0; j < scores_.size(); ++j) {
      const Score& score = scores_[j];
      if (score.high == kHidden) continue;
      const double away = std::abs(value(j) - o);
      least += std::exp(score.low - lse);
      farthest = std::max(farthest, away);
      if (away > 0) sum += weight_moved(score, lse) * away;
    }
    if (!std::isfinite(o) || !std::isfinite(farthest)) return 0;
    const double most = sum / least;
    return most < farthest ? most : farthest;
  }

  const plan::Body& body_;
  const Inputs& in_;
  double unit_;
  std::vector<double> row_, keys_;  // [D], [Tk, D]
  std::vector<Score> scores_;       // [Tk]
  double longest_ = 0;              // of the keys
  std::int64_t b_ = 0, h_ = 0, g_ = 0;
};

}  // namespace

void score_rounding(const plan::Body& body, const Inputs& inputs, const TensorSpan& to) {
  Rounding rounding(body, inputs);
  for (std::int64_t b = 0; b < body.layout.batch; ++b) {
    for (std::int64_t h = 0; h < body.layout.heads; ++h) {
      rounding.bind(b, h);
      for (std::int64_t i = 0; i < body.layout.queries; ++i) rounding.row(i, to);
    }
  }
}

}  // namespace heed::reference
