#include "reference/score_rounding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "memory/memory.hpp"

namespace heed::reference {
namespace {

constexpr double kFelt = 16;  // size of a score from which on its rounding counts by itself
constexpr double kHidden = -std::numeric_limits<double>::infinity();

/// A final score and where it may lie.
struct Score {
  double value = kHidden, low = kHidden, high = kHidden;
};

struct Felt {
  bool by_output = false, by_statistics = false;
};

class Rounding {
 public:
  Rounding(const problem::Question& question, const Inputs& in)
      : question_(question),
        in_(in, question.layout),
        unit_(question.problem.dtype == DType::kF64 ? 0x1p-53 : 0x1p-24),
        felt_by_output_(question.problem.dtype == DType::kF64 ? 0 : kFelt),
        row_(static_cast<std::size_t>(question.problem.dim)) {}

  /// Binds the keys of one head.
  void bind(std::int64_t b, std::int64_t h) {
    b_ = b;
    h_ = h;
    g_ = question_.layout.kv_head(h);
    keys_.clear();
    longest_ = 0;
    for (std::int64_t j = 0; j < question_.layout.keys_of(b_); ++j) {
      double squares = 0;
      for (std::int64_t c = 0; c < question_.problem.dim; ++c) {
        keys_.push_back(in_.k.real(b_, g_, j, c));
        squares += keys_.back() * keys_.back();
      }
      longest_ = std::max(longest_, std::sqrt(squares));
    }
    scores_.assign(static_cast<std::size_t>(question_.layout.keys_of(b_)), {});
  }

  void row(std::int64_t i, const Rounded& to) {
    double squares = 0;
    for (std::int64_t c = 0; c < question_.problem.dim; ++c) {
      const double value = row_[static_cast<std::size_t>(c)] = in_.q.real(b_, h_, i, c);
      squares += value * value;
    }
    const bool small = question_.formulas.score.empty() && std::abs(question_.scale) * std::sqrt(squares) * longest_ < felt_by_output_;
    const Felt felt = small ? Felt{} : score_row(i);
    const double sink = question_.has_sink() ? question_.sink(h_) : kHidden;
    const double lse = felt.by_output || felt.by_statistics ? log_sum_exp(sink) : kHidden;
    for (std::int64_t c = 0; c < (to.o.given() ? question_.problem.value_dim : 0); ++c) {
      const std::int64_t at = problem::Places(to.o, question_.layout, problem::Side::kQueries).at(b_, h_, i, c);
      static_cast<double*>(to.o.data)[at] = felt.by_output ? moved(c, lse) : 0;
    }
    const double alone = felt.by_statistics ? log_sum_exp(kHidden) : kHidden;
    put(to.lse, i, felt.by_statistics ? lse_moved(lse, sink) : 0);
    put(to.maximum, i, felt.by_statistics ? maximum_moved() : 0);
    put(to.entropy, i, felt.by_statistics ? entropy_moved(alone) : 0);
    put(to.effective, i, felt.by_statistics ? effective_moved(alone) : 0);
  }

 private:
  [[nodiscard]] double final_score(formula::Place place, double s) const {
    place.s = s;
    const formula::Value value = question_.formulas.score.at(place);
    return value.broken < 0 ? value.real : std::nan("");
  }

  /// Scores of one row, and who feels their rounding.
  Felt score_row(std::int64_t i) {
    double largest = 0, largest_size = 0;
    for (std::int64_t j = 0; j < question_.layout.keys_of(b_); ++j) {
      Score& score = scores_[static_cast<std::size_t>(j)];
      score = {};
      const formula::Place place = question_.layout.place(b_, h_, i, j);
      if (!question_.formulas.mask.at(place).integer) continue;
      double s = 0, x = 0;
      const double* const key = keys_.data() + j * question_.problem.dim;
      for (std::size_t c = 0; c < row_.size(); ++c) {
        const double product = row_[c] * key[c];
        s += product;
        x += std::abs(product);
      }
      s *= question_.scale;
      const double off = unit_ * std::abs(question_.scale) * x;
      score = {s, s - off, s + off};
      if (!question_.formulas.score.empty()) {
        const double value = final_score(place, s), below = final_score(place, s - off), above = final_score(place, s + off);
        score = {value, std::min({value, below, above}), std::max({value, below, above})};
      }
      if (!std::isinf(score.value)) {
        score.low -= unit_ * std::abs(score.value);
        score.high += unit_ * std::abs(score.value);
        largest = std::max({largest, std::abs(s), std::abs(score.value)});
        largest_size = std::max(largest_size, std::abs(question_.scale) * x);
      }
    }
    return {largest >= felt_by_output_, std::max(largest, largest_size) >= kFelt};
  }

  /// 0 for what is not a number: such rows are judged as they are.
  void put(const TensorSpan& span, std::int64_t i, double value) const {
    if (!span.given()) return;
    static_cast<double*>(span.data)[problem::Places(span, question_.layout, problem::Side::kQueries).at(b_, h_, i)] =
        std::isfinite(value) ? value : 0;
  }

  [[nodiscard]] double log_sum_exp(double sink) const {
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
    double o = 0, sum = 0, farthest = 0, least = question_.has_sink() ? std::exp(question_.sink(h_) - lse) : 0;
    const auto value = [&](std::size_t j) { return in_.v.real(b_, g_, static_cast<std::int64_t>(j), c); };
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

  /// sum_j e^(end_j - lse) of the low or the high ends.
  [[nodiscard]] double sum_of(double Score::*end, double lse) const {
    double sum = 0;
    for (const Score& score : scores_) sum += std::exp(score.*end - lse);
    return sum;
  }

  [[nodiscard]] double lse_moved(double lse, double sink) const {
    if (lse == kHidden) return 0;
    const double share = std::exp(sink - lse);
    return std::max(std::log(sum_of(&Score::high, lse) + share), -std::log(sum_of(&Score::low, lse) + share));
  }

  [[nodiscard]] double maximum_moved() const {
    Score most;
    for (const Score& score : scores_)
      most = {std::max(most.value, score.value), std::max(most.low, score.low), std::max(most.high, score.high)};
    return most.value == kHidden ? 0 : std::max(most.high - most.value, most.value - most.low);
  }

  /// sum_j r_j slope(p_j) / Z, at most `most`; slope is of p_j and its logarithm.
  template <class Slope>
  [[nodiscard]] double along(double lse, double most, const Slope& slope) const {
    double sum = 0;
    for (const Score& score : scores_) {
      if (score.high == kHidden) continue;
      const double moved = weight_moved(score, lse), log_p = score.value - lse;
      if (moved > 0) sum += moved * std::abs(slope(std::exp(log_p), log_p));
    }
    const double all = sum / sum_of(&Score::low, lse);
    return all < most ? all : most;
  }

  [[nodiscard]] double visible() const {
    return static_cast<double>(std::count_if(scores_.begin(), scores_.end(), [](const Score& score) { return score.high != kHidden; }));
  }

  [[nodiscard]] double entropy_moved(double lse) const {
    if (lse == kHidden) return 0;
    double entropy = 0;
    for (const Score& score : scores_) entropy -= score.value == kHidden ? 0 : std::exp(score.value - lse) * (score.value - lse);
    return along(lse, std::log(visible()), [entropy](double, double log_p) { return log_p + entropy; });
  }

  [[nodiscard]] double effective_moved(double lse) const {
    if (lse == kHidden) return 0;
    double squares = 0;
    for (const Score& score : scores_) squares += std::exp(2 * (score.value - lse));
    return along(lse, visible(), [squares](double p, double) { return 2 * (p - squares) / (squares * squares); });
  }

  const problem::Question& question_;
  memory::Held in_;
  double unit_, felt_by_output_;
  std::vector<double> row_, keys_;  // [D], [Tk, D]
  std::vector<Score> scores_;       // [Tk]
  double longest_ = 0;              // of the keys
  std::int64_t b_ = 0, h_ = 0, g_ = 0;
};

}  // namespace

void score_rounding(const problem::Question& question, const Inputs& inputs, const Rounded& to) {
  Rounding rounding(question, inputs);
  for (std::int64_t b = 0; b < question.layout.batch; ++b) {
    for (std::int64_t h = 0; h < question.layout.heads; ++h) {
      rounding.bind(b, h);
      for (std::int64_t i = 0; i < question.layout.queries_of(b); ++i) rounding.row(i, to);
    }
  }
}

}  // namespace heed::reference
