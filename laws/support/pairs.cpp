#include "laws/support/pairs.hpp"

#include <algorithm>
#include <random>

namespace heed::laws {
namespace {

constexpr int kCandidates = 12;  // drawn for a row
constexpr int kGreedy = 10;      // rows refused before luck decides alone
constexpr int kTries = 150;      // rows refused before a pair is one that cannot be

class Generator {
 public:
  Generator(const std::vector<Factor>& factors, const Cover& how) : factors_(factors), how_(how), random_(how.seed) {
    for (const Factor& factor : factors) {
      first_.push_back(values_);
      values_ += factor.values.size();
    }
    open_.assign(values_ * values_, false);
    for (std::size_t f = 0; f < factors.size(); ++f) {
      for (std::size_t g = f + 1; g < factors.size(); ++g) {
        for (std::size_t v = 0; v < factors[f].values.size(); ++v) {
          for (std::size_t w = 0; w < factors[g].values.size(); ++w) {
            set(f, v, g, w, true);
            order_.push_back({f, v, g, w});
          }
        }
      }
    }
    made_.pairs = order_.size();
    for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[below(i)]);
  }

  Covering run() {
    for (const Met& pair : order_) {
      if (made_.rows.size() == how_.most_rows) break;
      if (open(pair.factor, pair.value, pair.other_factor, pair.other_value)) meet(pair);
    }
    return std::move(made_);
  }

 private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  std::size_t place(std::size_t f, std::size_t v, std::size_t g, std::size_t w) const { return (first_[f] + v) * values_ + first_[g] + w; }
  bool open(std::size_t f, std::size_t v, std::size_t g, std::size_t w) const { return open_[place(f, v, g, w)]; }
  void set(std::size_t f, std::size_t v, std::size_t g, std::size_t w, bool to) {
    open_[place(f, v, g, w)] = open_[place(g, w, f, v)] = to;
  }

  void meet(const Met& pair) {
    RefusedPair refused{.pair = pair, .row = {}, .reason = {}};
    for (int tries = 0; tries < kTries; ++tries) {
      const Row row = best(pair, tries);
      if (row.empty()) continue;
      refused.reason = how_.refusal(row);
      if (refused.reason.empty()) {
        made_.met += gain(row);
        for (std::size_t f = 0; f < row.size(); ++f) {
          for (std::size_t g = 0; g < f; ++g) set(f, row[f], g, row[g], false);
        }
        made_.rows.push_back(row);
        return;
      }
      refused.row = row;
      made_.reasons.push_back(refused.reason);
    }
    set(pair.factor, pair.value, pair.other_factor, pair.other_value, false);
    made_.refused.push_back(std::move(refused));
  }

  /// Pairs of the row that have met in none.
  std::size_t gain(const Row& row) const {
    std::size_t sum = 0;
    for (std::size_t f = 0; f < row.size(); ++f) {
      for (std::size_t g = 0; g < f; ++g) sum += open(f, row[f], g, row[g]);
    }
    return sum;
  }

  /// The candidate with most open pairs, less greedily made after every refusal; in the end the first that is not too dear, since pairs
  /// that stay open because they are refused would lead into refusals again. Empty: all were too dear.
  Row best(const Met& pair, int tries) {
    Row found;
    std::size_t most = 0;
    for (int n = 0; n < kCandidates; ++n) {
      const Row row = candidate(pair, static_cast<std::size_t>(n % 4 == 0 ? kGreedy : std::min(tries, kGreedy)));
      if (!how_.takes(row)) continue;
      if (const std::size_t here = gain(row); found.empty() || here > most) {
        most = here;
        found = row;
      }
      if (tries > kGreedy) break;
    }
    return found;
  }

  /// Factors in a random order, each at random `luck` times of kGreedy, else the value that brings most open pairs with those before it.
  Row candidate(const Met& pair, std::size_t luck) {
    Row row(factors_.size());
    std::vector<std::size_t> done{pair.factor, pair.other_factor}, left;
    row[pair.factor] = pair.value;
    row[pair.other_factor] = pair.other_value;
    for (std::size_t f = 0; f < factors_.size(); ++f) {
      if (f != pair.factor && f != pair.other_factor) left.push_back(f);
    }
    while (!left.empty()) {
      std::swap(left[below(left.size())], left.back());
      const std::size_t f = left.back(), count = factors_[f].values.size(), start = below(count);
      left.pop_back();
      row[f] = start;
      std::size_t most = 0;
      const bool greedy = below(kGreedy) >= luck;
      for (std::size_t turn = 0; greedy && turn < count; ++turn) {
        const std::size_t v = (start + turn) % count;
        std::size_t here = 0;
        for (const std::size_t g : done) here += open(f, v, g, row[g]);
        if (here > most) {
          most = here;
          row[f] = v;
        }
      }
      done.push_back(f);
    }
    return row;
  }

  const std::vector<Factor>& factors_;
  const Cover& how_;
  std::mt19937_64 random_;
  std::vector<std::size_t> first_;  ///< the number of each factor's first value among all
  std::size_t values_ = 0;
  std::vector<bool> open_;
  std::vector<Met> order_;
  Covering made_;
};

}  // namespace

Covering cover_pairs(const std::vector<Factor>& factors, const Cover& how) {
  return Generator(factors, how).run();
}

}  // namespace heed::laws
