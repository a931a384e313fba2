#include "machine/price.hpp"

namespace heed::machine {
namespace {

constexpr UnitFacts kUnits[] = {{"f32 multiply-adds", "multiply_add", &Limits::multiply_add, 1, 1},
                                {"bf16 dot products", "bf16_dot", &Limits::bf16_dot, 2, 0.5},
                                {"matrix unit", "matrix_unit", &Limits::matrix_unit, 12, 12}};

}  // namespace

const UnitFacts& facts_of(Unit unit) {
  return kUnits[static_cast<std::size_t>(unit)];
}

}  // namespace heed::machine
