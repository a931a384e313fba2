// Lookups: proves, before anything runs, that every visible place has a value whatever the scores will be.
//
// What does not read s (a lookup, an operation on integers of positions) must have a value at every visible place where some s can
// reach it; a condition that reads s may come out either way. An operation on s that has no value is no ground for refusing: it makes
// its row NaN. Interval analysis proves whole rectangles; what it cannot prove is halved, down to single places, which are settled
// exactly. Cost: nothing where the first interval proves it, else the border of the doubtful region.
#include <algorithm>
#include <utility>

#include <heed/error.hpp>

#include "problem/checks.hpp"

namespace heed::problem {
namespace {

using formula::Box;
using formula::Range;

class Proof {
 public:
  Proof(const Formulas& formulas, const Layout& layout) : formulas_(formulas), layout_(layout) {}

  void prove(const Box& box) {
    const formula::Interval seen = formulas_.mask_over().interval(box);
    if (seen.never()) return;
    const auto doubt = seen.valued() ? formulas_.score_over().broken_for_some_score(box) : formulas_.mask_over().broken_for_some_score(box);
    if (!doubt) return;
    if (split(box, *doubt)) return;
    check(box);
  }

 private:
  /// Halves the longest side, those longest first on which the doubt depends: t[k] beside k < n is settled for all queries at once. But
  /// not at any price: a mask may need the others to be decided. False for a single place.
  bool split(const Box& box, std::uint8_t doubt) {
    constexpr double kPreference = 1024;
    constexpr std::pair<Range Box::*, std::uint8_t> kSides[] = {
        {&Box::b, formula::kOnBatch}, {&Box::h, formula::kOnHead}, {&Box::q, formula::kOnQuery}, {&Box::k, formula::kOnKey}};
    Range Box::*longest = nullptr;
    double most = 0;
    for (const auto& [side, depends] : kSides) {
      const auto extent = static_cast<double>((box.*side).last - (box.*side).first + 1) * (doubt & depends ? kPreference : 1.0);
      if ((box.*side).last > (box.*side).first && extent > most) {
        most = extent;
        longest = side;
      }
    }
    if (longest == nullptr) return false;
    Box low = box, high = box;
    const std::int64_t middle = (box.*longest).first + ((box.*longest).last - (box.*longest).first) / 2;
    (low.*longest).last = middle;
    (high.*longest).first = middle + 1;
    for (Box* half : {&low, &high}) {
      half->g = {layout_.kv_head(half->h.first), layout_.kv_head(half->h.last)};
      half->i = rows_of(*half);
      if (half->i.first <= half->i.last) prove(*half);
    }
    return true;
  }

  void check(const Box& box) {
    const formula::Place place{.q = box.q.first, .k = box.k.first, .b = box.b.first, .h = box.h.first, .g = box.g.first, .i = box.i.first};
    values_.resize(std::max(formulas_.mask.steps().size(), formulas_.score.steps().size()));
    const formula::Value seen = formulas_.mask.at(place, values_);
    if (seen.broken >= 0) fail(formulas_.mask, "mask", seen.broken, values_, place);
    if (!seen.integer) return;
    const int lacking = formulas_.score_over().broken_for_some_score(place, values_);
    if (lacking >= 0) fail(formulas_.score, "score", lacking, values_, place);
  }

  /// The rows of the queries at these positions. Batch entries may have different offsets: the box of all of them holds places that no
  /// query stands at, and a box of nothing else has no rows.
  [[nodiscard]] Range rows_of(const Box& box) const {
    const auto offsets =
        std::span(layout_.offsets).subspan(static_cast<std::size_t>(box.b.first), static_cast<std::size_t>(box.b.last - box.b.first + 1));
    const auto [low, high] = std::minmax_element(offsets.begin(), offsets.end());
    return {std::max<std::int64_t>(box.q.first - *high, 0),
            std::min(box.q.last - *low, (layout_.ragged() ? layout_.queries_of(box.b.first) : layout_.queries) - 1)};
  }

  [[noreturn]] static void fail(const formula::Formula& formula, const char* slot, int step, std::span<const formula::Value> values,
                                const formula::Place& place) {
    throw Error({formula.describe(step, values),
                 std::string(slot) + ", at the visible place q = " + std::to_string(place.q) + ", k = " + std::to_string(place.k) +
                     ", b = " + std::to_string(place.b) + ", h = " + std::to_string(place.h) +
                     (formula.mentions(formula::Op::kRow) ? ", i = " + std::to_string(place.i) : ""),
                 "a value wherever the mask shows a key", "none"});
  }

  const Formulas& formulas_;
  const Layout& layout_;
  std::vector<formula::Value> values_;
};

}  // namespace

void check_lookups(const Formulas& formulas, const Layout& layout) {
  if (layout.hollow()) return;
  if (!layout.ragged()) return Proof(formulas, layout).prove(layout.everything());
  for (std::int64_t b = 0; b < layout.batch; ++b) {
    if (layout.queries_of(b) != 0 && layout.keys_of(b) != 0) Proof(formulas, layout).prove(layout.everything(b));
  }
}

}  // namespace heed::problem
