#include "laws/support/posed.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace heed::laws {
namespace {

/// [first, first + count) along an axis; an axis of one broadcasts and stays.
void cut(TensorView& tensor, int axis, std::int64_t first, std::int64_t count, bool broadcasts = true) {
  if (broadcasts && tensor.shape[axis] == 1) return;
  tensor.data = static_cast<const std::byte*>(tensor.data) + first * tensor.strides[axis] * size_of(tensor.dtype);
  tensor.shape[axis] = count;
}

/// Where the first query of batch entry b stands.
std::int64_t offset_of(const Problem& problem, std::int64_t b) {
  if (problem.align.kind == Align::Kind::kEnd) return problem.first_key + problem.keys - problem.queries;
  if (problem.align.kind != Align::Kind::kOffsets) return 0;
  return problem.align.offsets[problem.align.offsets.size() == 1 ? 0 : static_cast<std::size_t>(b)];
}

/// Of the tables under the names of Draw what belongs to a piece that has `rows` of queries from `first` on and keys before position
/// `keys`.
void cut_tables(Problem& problem, const Piece& piece, std::int64_t farthest) {
  const std::int64_t rows = piece.last_query - piece.first_query, keys = problem.first_key + problem.keys;
  const auto table = [&](const char* name, std::initializer_list<char> axes) {
    const auto found = problem.tables.find(name);
    if (found == problem.tables.end()) return;
    int axis = 0;
    for (const char what : axes) {
      if (what == 'b' && piece.entry) cut(found->second, axis, *piece.entry, 1, false);
      if (what == 'i') cut(found->second, axis, piece.first_query, rows);
      if (what == 'k') cut(found->second, axis, 0, keys);
      if (what == 'q') cut(found->second, axis, 0, rows > 0 ? std::max(keys, farthest + rows) : keys, false);
      ++axis;
    }
  };
  table("length", {'b'});
  table("global", {'q'});
  table("seen", {'i', 'k'});
  table("valid", {'b', 'k'});
  table("block", {'b', 'i', 'k'});
  table("bias", {'h', 'i', 'k'});
}

std::vector<std::int64_t> offsets_of(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

/// The case whose entries are all as long as the longest.
Case longest(Case of, const Lengths& lengths) {
  of.batch = static_cast<std::int64_t>(lengths.queries.size());
  of.queries = *std::max_element(lengths.queries.begin(), lengths.queries.end());
  of.keys = *std::max_element(lengths.keys.begin(), lengths.keys.end());
  return of;
}

/// [T, H, D], by the case's memory stored so, as [H, T, D] or as [H, D, T].
TensorView packed_view(Tensor& store, DType dtype, Memory memory, const Dims& shape) {
  const std::int64_t t = shape[0], d = shape[2];
  store = poisoned(dtype, shape);
  if (memory == Memory::kTokens) return {store.span().data, dtype, shape, {d, t * d, 1}};
  if (memory == Memory::kColumns) return {store.span().data, dtype, shape, {1, d * t, t}};
  return store.view();
}

/// [1, H, T, D] into rows [first, first + T) of [T_total, H, D], which lie in `store`.
void copy(const TensorView& from, Tensor& store, const TensorView& to, std::int64_t first) {
  const Dims &by = from.strides, &into = to.strides;
  for (std::int64_t h = 0; h < from.shape[1]; ++h) {
    for (std::int64_t t = 0; t < from.shape[2]; ++t) {
      for (std::int64_t c = 0; c < from.shape[3]; ++c)
        store_real(store.span(), (first + t) * into[0] + h * into[1] + c * into[2], real_at(from, h * by[1] + t * by[2] + c * by[3]));
    }
  }
}

}  // namespace

Posed piece_of(const Posed& whole, const Piece& piece) {
  const Problem& from = whole.problem;
  Posed part = whole;
  std::vector<std::int64_t> offsets;
  for (std::int64_t b = 0; b < from.batch; ++b) {
    if (!piece.entry || *piece.entry == b) offsets.push_back(piece.offset.value_or(offset_of(from, b) + piece.first_query));
  }
  if (piece.entry) {
    part.problem.batch = 1;
    for (TensorView* tensor : {&part.inputs.q, &part.inputs.k, &part.inputs.v}) cut(*tensor, 0, *piece.entry, 1, false);
  }
  part.problem.queries = piece.last_query - piece.first_query;
  part.problem.keys = piece.last_key - piece.first_key;
  part.problem.first_key = from.first_key + piece.first_key;
  cut(part.inputs.q, 2, piece.first_query, part.problem.queries, false);
  for (TensorView* tensor : {&part.inputs.k, &part.inputs.v}) cut(*tensor, 2, piece.first_key, part.problem.keys, false);
  cut_tables(part.problem, piece, *std::max_element(offsets.begin(), offsets.end()));
  part.problem.align = Align::at(std::move(offsets));
  return part;
}

Packed::Packed(const Case& given, const Lengths& of) : whole(longest(given, of)) {
  const std::int64_t all_queries = std::reduce(of.queries.begin(), of.queries.end()),
                     all_keys = std::reduce(of.keys.begin(), of.keys.end());
  all.inputs.q = packed_view(q, given.dtype, given.memory, {all_queries, given.heads, given.dim});
  all.inputs.k = packed_view(k, given.dtype, given.memory, {all_keys, given.kv_heads, given.dim});
  all.inputs.v = packed_view(v, given.dtype, given.memory, {all_keys, given.kv_heads, given.value_dim});
  const Posed dense = posed(whole);
  const std::vector<std::int64_t> queries = offsets_of(of.queries), keys = offsets_of(of.keys);
  for (std::size_t b = 0; b < of.queries.size(); ++b) {
    Piece piece{.last_query = of.queries[b], .last_key = of.keys[b], .entry = static_cast<std::int64_t>(b)};
    if (given.align.kind == Align::Kind::kEnd) piece.offset = of.keys[b] - of.queries[b];
    alone.push_back(piece_of(dense, piece));
    copy(alone.back().inputs.q, q, all.inputs.q, queries[b]);
    copy(alone.back().inputs.k, k, all.inputs.k, keys[b]);
    copy(alone.back().inputs.v, v, all.inputs.v, keys[b]);
  }
  all.problem = problem_of(all.inputs.q, all.inputs.k, all.inputs.v, queries, keys);
  all.problem.mask = dense.problem.mask;
  all.problem.scores = dense.problem.scores;
  all.problem.tables = dense.problem.tables;
  all.problem.align = dense.problem.align;
  std::int64_t positions = whole.of.keys;
  for (std::size_t b = 0; b < alone.size(); ++b) {
    if (of.queries[b] > 0) positions = std::max(positions, alone[b].problem.align.offsets[0] + of.queries[b]);
  }
  cut(all.problem.tables.at("global"), 0, 0, positions, false);
  all.problem.sink = dense.problem.sink;
}

std::string rows_differ(const Tensor& packed, const Tensor& alone, std::int64_t first) {
  if (alone.shape().rank() == 0) return "";
  const std::int64_t heads = alone.shape()[1], rows = alone.shape()[2], columns = alone.shape().rank() == 4 ? alone.shape()[3] : 1;
  const std::int64_t bytes = columns * size_of(alone.dtype());
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t t = 0; t < rows; ++t) {
      if (std::memcmp(packed.data<std::byte>() + ((first + t) * heads + h) * bytes, alone.data<std::byte>() + (h * rows + t) * bytes,
                      static_cast<std::size_t>(bytes)) != 0)
        return "head " + std::to_string(h) + ", row " + std::to_string(t);
    }
  }
  return "";
}

}  // namespace heed::laws
