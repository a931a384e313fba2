// Named scores: functions that return how a score is altered. Each sees the previous result as s (already scaled).
// Sources stand with the definitions in src/formula/scores.cpp. A sink is not a score: it is Problem::sink, part of the state.
#pragma once

#include <heed/expression.hpp>

namespace heed {

/// s * factor
Expr scale(const Expr& factor);
/// cap * tanh(s / cap)
Expr softcap(const Expr& cap);
/// s + slope[h] * (k - q), slopes given: real table [Hq]; here and below an extent of 1 broadcasts, any other is refused.
Expr alibi(const Table& slope);
/// s + slope[h] * (k - q) with the paper's geometric slopes for so many heads: those of the problem.
Expr alibi(std::int64_t heads);
/// T5's relative position buckets: s + bias[h, bucket(k - q)]; bias: real table [Hq, buckets].
Expr t5(const Table& bias, std::int64_t buckets, std::int64_t max_distance, bool bidirectional);
/// s + table[h, clamp(k - q, -m, m) + m]; table: real [Hq, 2 m + 1].
Expr relative(const Table& table, const Expr& m);
/// s + table[…] for a real tensor [Tq, Tk], [Hq, Tq, Tk] or [B, Hq, Tq, Tk] as in dense (masks.hpp); -inf hides. With the axes said:
/// s + dense(table, b, i, k).
Expr bias(const Table& table, const Dims& shape);
/// s / t, t usually a lookup per row: temperature[q].
Expr temperature(const Expr& t);

}  // namespace heed
