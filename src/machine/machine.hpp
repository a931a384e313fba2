// Machine: with what a walk computes. Each is a folder, a table of words (products.hpp) and a row here; it learns of a problem what an Ask
// says and nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "machine/price.hpp"
#include "machine/products.hpp"

namespace heed::machine {

/// All that a machine learns of a problem.
struct Ask {
  DType dtype = DType::kF32;
  double scale = 1;
};

struct Machine {
  std::string_view name;
  std::string_view what;                             ///< its way, for people: part of a sentence
  int most_queries = 0;                              ///< for each head; 0: any number
  std::string (*missing)() = nullptr;                ///< what this processor lacks; null or empty: nothing
  std::string (*decline)(const Ask& ask) = nullptr;  ///< why it does not take a problem; null or empty: it does
  const Products& (*products)(DType dtype);
  Price price;
};

/// From the one that is made for the least to the one that takes everything, which is the last.
[[nodiscard]] std::span<const Machine> machines();

}  // namespace heed::machine
