// Fit: a table of a named form is as large as the problem, so that nobody reads one thing as another.
//
// dense(m, b, k) is the lookup m[b, k] with a claim: along b, h, g and i the table has the problem's extent or 1 (which broadcasts),
// along k as many as there are positions of keys (or 1), along q as many as there are positions at all. Any other index that stays within
// 0..n whatever q and k are, such as a clipped distance, claims n + 1. A lookup m[b, k] claims nothing: it need only cover what is seen.
// Where no axes were said, dense(m), and a leading extent could be meant in two ways, the problem is refused.
#include <algorithm>

#include <heed/error.hpp>

#include "problem/checks.hpp"

namespace heed::problem {
namespace {

using formula::Fitted;
using formula::Formula;
using formula::Op;
using formula::Range;

/// Along one axis of a table: how many there must be, what they are called, and whether 1 will do.
struct Axis {
  std::string name;
  std::int64_t extent = 0;
  bool broadcasts = true;
  [[nodiscard]] bool takes(std::int64_t found) const { return found == extent || (broadcasts && found == 1); }
};

class Fit {
 public:
  Fit(const Layout& layout, const Formula& formula, const formula::Over& over, const char* slot)
      : layout_(layout), formula_(formula), over_(over), slot_(slot) {}

  void check() {
    for (const Fitted& fitted : formula_.fitted()) {
      const formula::BoundTable& table = formula_.tables()[static_cast<std::size_t>(fitted.table)];
      const Dims& shape = table.view.shape;
      std::vector<Axis> axes;
      bool fits = true;
      for (std::size_t at = 0; at < fitted.axes.size(); ++at) {
        axes.push_back(axis(fitted, at, shape[static_cast<int>(at)]));
        fits &= axes.back().takes(shape[static_cast<int>(at)]);
      }
      const std::string where = std::string(slot_) + ", " + fitted.text;
      if (!fits)
        throw Error(
            {"table `" + table.name + "` does not fit the problem", where, expected(fitted, table.name, axes, shape), to_text(shape)});
      if (fitted.by_rank) require_one_reading(table.name, shape, where);
    }
  }

 private:
  [[nodiscard]] Axis axis(const Fitted& fitted, std::size_t at, std::int64_t found) {
    const std::int64_t keys = layout_.first_key + layout_.keys;
    switch (fitted.axes[at]) {
      case Op::kBatch:
        return {"B", layout_.batch};
      case Op::kHead:
        return {"Hq", layout_.heads};
      case Op::kKvHead:
        return {"Hkv", layout_.kv_heads};
      case Op::kRow:
        return {"Tq", layout_.queries};
      case Op::kKey:
        return {layout_.first_key == 0 ? "Tk" : "first_key + Tk", keys};
      case Op::kQuery: {
        std::int64_t positions = keys;
        for (std::int64_t b = 0; b < layout_.batch; ++b) {
          if (const std::int64_t queries = layout_.queries_of(b); queries > 0)
            positions = std::max(positions, layout_.query_position(b, queries));
        }
        return {"positions", positions, false};
      }
      default:
        break;
    }
    const formula::Interval reach = anywhere()[static_cast<std::size_t>(fitted.indices[at])];
    const formula::Step& index = formula_.steps()[static_cast<std::size_t>(fitted.indices[at])];
    if (index.depends == formula::kOnNothing || reach.broken || reach.low != 0) return {"any", found, false};
    return {std::to_string(reach.high + 1), reach.high + 1, false};
  }

  /// Bounds of all steps for the heads of the problem and any positions.
  const std::vector<formula::Interval>& anywhere() {
    if (!anywhere_.empty()) return anywhere_;
    constexpr std::int64_t kFar = std::int64_t{1} << 61;
    const Range any{-kFar, kFar};
    const auto count = [](std::int64_t n) { return Range{0, std::max<std::int64_t>(n - 1, 0)}; };
    anywhere_.resize(formula_.steps().size());
    over_.intervals({.q = any, .k = any, .b = count(layout_.batch), .h = count(layout_.heads), .g = count(layout_.kv_heads), .i = any},
                    formula::Interval::any(formula::Type::kReal), anywhere_);
    return anywhere_;
  }

  [[nodiscard]] std::string expected(const Fitted& fitted, const std::string& table, const std::vector<Axis>& axes,
                                     const Dims& shape) const {
    std::string names, extents;
    bool broadcasts = false;
    for (std::size_t at = 0; at < axes.size(); ++at) {
      names += (at ? ", " : "") + axes[at].name;
      extents += (at ? ", " : "") + std::to_string(axes[at].extent);
      broadcasts |= axes[at].broadcasts;
    }
    std::string text = "[" + names + "] = [" + extents + "]" + (broadcasts ? ", or 1 to broadcast" : "");
    if (fitted.by_rank && shape.rank() < 4 && shape[0] == layout_.batch)
      text += shape.rank() == 2 ? "; a table [B, Tk] is written dense(" + table + ", b, k)"
                                : "; a table [B, Tq, Tk] is written dense(" + table + ", b, i, k)";
    return text;
  }

  /// [Tq, Tk] might be [B, Tk], and [Hq, Tq, Tk] [B, Tq, Tk].
  void require_one_reading(const std::string& table, const Dims& shape, const std::string& where) const {
    const bool flat = shape.rank() == 2;
    const std::int64_t meant = flat ? layout_.queries : layout_.heads;
    if (shape.rank() == 4 || shape[0] == 1 || shape[0] != meant || shape[0] != layout_.batch) return;
    const std::string call = "dense(" + table + ", ", rest = flat ? "k)" : "i, k)";
    throw Error(
        {"the first axis of table `" + table + "` may be meant in two ways", where,
         "its axes said: " + call + (flat ? "i, " : "h, ") + rest + " or " + call + "b, " + rest,
         to_text(shape) + ", where B = " + std::to_string(layout_.batch) + " and " + (flat ? "Tq" : "Hq") + " = " + std::to_string(meant)});
  }

  const Layout& layout_;
  const Formula& formula_;
  const formula::Over& over_;
  const char* slot_;
  std::vector<formula::Interval> anywhere_;
};

}  // namespace

void check_fit(const Formulas& formulas, const Layout& layout) {
  Fit(layout, formulas.mask, formulas.mask_over(), "mask").check();
  Fit(layout, formulas.score, formulas.score_over(), "score").check();
}

}  // namespace heed::problem
