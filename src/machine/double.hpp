// The words in double: what f64 tensors are computed with, and rows whose sums leave f32. The same for all machines; simd/ writes them.
//
// Tiles as in words.hpp, of doubles: S and P [keys, 64], Qt [D, 64], O [Dv, 64]; their weighing is state::in_double's, formulas on them
// are formula's (modify.hpp).
#pragma once

#include <cstdint>

#include "machine/words.hpp"

namespace heed::machine {

/// Rows of an f64 tensor where they lie, or in `buffer` [count, columns] where their elements are apart.
[[nodiscard]] Lines<double> in_double(const Rows& source, int count, int columns, double* buffer);
/// Qt[c, i] = q[slots[i], c], of an f64 tensor; lanes beyond `count` are zero.
void load_queries(const Rows& source, const std::int64_t* slots, int count, int columns, double* qt);
/// S[j, i] = scale sum_c k[j, c] Qt[c, i]. False when a score is not finite. Flops 2 keys lanes D.
bool scores(const double* qt, const Lines<double>& k, const Shape& shape, double scale, double* s);
/// Infinite scores of finite numbers, beyond double, as NaN; infinities that come of infinities stay.
void refuse_infinite(const double* qt, const Lines<double>& k, const Shape& shape, double* s);
/// O[c, i] <- O[c, i] rescale[i] + sum_j v[j, c] P[j, i]. Flops 2 keys lanes Dv.
void mix(const double* p, const Lines<double>& v, const Shape& shape, const double* rescale, double* o);
/// The same where seen is 1 and nothing elsewhere: a zero weight times NaN would be NaN. Same bits where V is finite.
void mix_seen(const double* p, const std::uint8_t* seen, const Lines<double>& v, const Shape& shape, const double* rescale, double* o);
void mix_seen(const double* p, const std::uint8_t* seen, const Lines<float>& v, const Shape& shape, const double* rescale, double* o);
/// Whether O is finite in all these lanes.
bool finite(const double* o, int value_dim, int lanes);
/// O <- a O + b O'.
void blend(double* o, const double* a, const double* part, const double* b, int value_dim, int lanes);
/// out[i, c] = O[c, first + i] / divisor[first + i], to an f64 tensor.
void finish(const double* o, const double* divisor, int value_dim, int first, int lanes, const OutputRows& out);

}  // namespace heed::machine
