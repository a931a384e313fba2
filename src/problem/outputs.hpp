// What a run writes: proved to fit the problem and to lie apart from all that is read.
#pragma once

#include <heed/inputs.hpp>
#include <heed/outputs.hpp>

#include "problem/places.hpp"
#include "problem/question.hpp"

namespace heed::problem {

/// Throws Error before anything is written where inputs or outputs do not fit.
void check_tensors(const Question& question, const Inputs& inputs, const Outputs& outputs);

/// Where finished rows of a tile go: the one that knows how outputs lie.
class RowWriter {
 public:
  RowWriter(const Layout& layout, const Outputs& outputs);
  [[nodiscard]] bool wants_o() const { return out_.o.given(); }
  /// O of the queries of a tile, of one of its heads.
  [[nodiscard]] base::OutputRows o(const QueryTile& queries, std::int64_t head) const;
  /// One number of O, rounded to its dtype.
  void o(const QueryTile& queries, int lane, std::int64_t column, double value) const {
    store_real(out_.o, o_.at(queries.b, queries.head(lane), queries.query(lane), column), value);
  }
  /// One number per lane, where it is wanted: L, a statistic.
  template <class F>
  void lse(const QueryTile& queries, int lane, F value) const {
    put(out_.lse, queries, lane, value);
  }
  /// A row's tally (state/tally.hpp).
  template <class Tally>
  void statistics(const QueryTile& queries, int lane, const Tally& tally) const {
    put(out_.maximum, queries, lane, tally.maximum());
    put(out_.entropy, queries, lane, tally.entropy());
    put(out_.effective, queries, lane, tally.effective());
    put(out_.visible, queries, lane, tally.n);
  }
  [[nodiscard]] bool wants_norms() const { return out_.norms.given(); }
  void norm(const QueryTile& queries, int lane, float base, float share) const {
    put(out_.norms, queries, lane, base);
    put(out_.norms, queries, lane, share, 1);
  }

 private:
  template <class T>
  void put(const TensorSpan& span, const QueryTile& queries, int lane, T value, std::int64_t column = 0) const {
    if (!span.given()) return;
    const Places places(span, layout_, Side::kQueries);
    static_cast<T*>(span.data)[places.at(queries.b, queries.head(lane), queries.query(lane), column)] = value;
  }
  const Layout& layout_;
  const Outputs& out_;
  Places o_;
};

}  // namespace heed::problem
