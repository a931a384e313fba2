// Named masks: functions that return the expression of who sees whom. Sources stand with the definitions in
// src/formula/masks.cpp; pictures are drawn by `heed draw` and in CATALOGUE.md.
//
// Positions are those of the problem's alignment; no mask here knows Tq or Tk. They combine with & | ! like any expression.
#pragma once

#include <heed/expression.hpp>

namespace heed {

/// Everyone sees everyone.
Expr full();
/// k <= q
Expr causal();
/// The last w keys, the query's own among them: q - (w-1) <= k <= q. w may be an expression.
Expr window(const Expr& w);
/// From left keys back to right keys ahead: q - left <= k <= q + right.
Expr window(const Expr& left, const Expr& right);
/// Causal, but everyone sees the first n keys. n may be a lookup, e.g. n[b].
Expr prefix(const Expr& n);
/// Only the first n keys exist (padding): k < n; n is usually a lookup length[b].
Expr lengths(const Expr& n);
/// The same with a table [B] of the lengths.
Expr lengths(const Table& n);
/// Packed documents: query and key lie in the same one. offsets: integer table [documents + 1], ascending from 0; positions from
/// offsets[last] on belong to no document. Throws Error for offsets that descend or do not start at 0.
Expr documents(const TensorView& offsets);
/// Causal within chunks of n tokens.
Expr chunked(const Expr& n);
/// The first n keys (attention sinks) and the last w, causal.
Expr streaming(const Expr& n, const Expr& w);
/// Every step-th key back from the query, w of them, its own among them.
Expr dilated(const Expr& w, const Expr& step);
/// A window of w/2 keys to either side, and global tokens that see and are seen by all; global: boolean table [T], one element for each
/// position: T = first_key + Tk, or more where queries stand behind the keys.
Expr longformer(const Expr& w, const Table& global);
/// A tensor [Tq, Tk], [Hq, Tq, Tk] or [B, Hq, Tq, Tk], rows are query rows; boolean, as a mask. Its extents are 1, which broadcasts, or
/// the problem's (first_key + Tk for keys): a plan refuses any other, and a first extent that may be meant in two ways (B = Tq, B = Hq).
Expr dense(const Table& table, const Dims& shape);
/// The same with the axes said, of b h g i k: dense(m, b, i, k) for [B, Tq, Tk].
template <std::same_as<Expr>... Axes>
requires(sizeof...(Axes) > 0) Expr dense(const Table& table, const Axes&... axes) {
  return table.fitted({axes...});
}
/// dense(table, b, k): which keys of each batch entry are seen; boolean table [B, Tk].
Expr padding(const Table& table);

}  // namespace heed
