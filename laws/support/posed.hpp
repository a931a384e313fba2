// Posed: a problem with its tensors; pieces of one, and packed sequences with each of them by itself, dense.
//
// A piece keeps the positions of what it takes: its queries stand where they stood, its keys begin at first_key, and of the tables that
// Draw binds it gets what is its own, so that named forms fit. What a row of a piece sees is what it saw, as far as the piece has it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "laws/support/case.hpp"

namespace heed::laws {

struct Posed {
  Problem problem;
  Inputs inputs;
};

[[nodiscard]] inline Posed posed(const Draw& draw) {
  return {draw.problem(), {draw.q, draw.k, draw.v}};
}

/// Of a dense problem: rows [first_query, last_query) and keys [first_key, last_key) of one batch entry, or of all.
struct Piece {
  std::int64_t first_query = 0, last_query = 0, first_key = 0, last_key = 0;
  std::optional<std::int64_t> entry{};
  std::optional<std::int64_t> offset{};  ///< of its queries, where they shall stand elsewhere
};
[[nodiscard]] Posed piece_of(const Posed& whole, const Piece& piece);

struct Lengths {
  std::vector<std::int64_t> queries, keys;
};

/// Packed sequences of a case and of these lengths, and each by itself: the same numbers, tables cut to it. Draw's tables are those of the
/// longest; a sequence by itself is number 0, so a mask that reads b does so through tables alone. Tensors [T_total, H, D] lie so, or as
/// [H, T_total, D] (Memory::kTokens) or [H, D, T_total] (kColumns).
struct Packed {
  Packed(const Case& given, const Lengths& of);
  Packed(const Packed&) = delete;
  Draw whole;                ///< dense, every sequence as long as the longest
  std::vector<Posed> alone;  ///< dense, of whole's numbers
  Tensor q, k, v;            ///< where the tensors of `all` lie
  Posed all;
};

/// "" where rows [first, ...) of packed [T_total, H, ...] are bit for bit those of alone [1, H, T, ...]; else which is not.
[[nodiscard]] std::string rows_differ(const Tensor& packed, const Tensor& alone, std::int64_t first);

}  // namespace heed::laws
