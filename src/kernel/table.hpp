// The table of kernels; the plan takes the cheapest that accepts. A kernel that declines says why; adding a machine is a folder and a row.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <heed/plan.hpp>

#include "plan/body.hpp"
#include "plan/cost.hpp"

namespace heed::kernel {

struct Products;

struct Kernel {
  std::string_view name;
  std::string_view what;                            ///< one sentence for people
  plan::Price price;                                ///< how it spends
  bool fused;                                       ///< memory linear in T; strict mode accepts nothing else
  const Products& (*products)(DType dtype);         ///< what walks of this kernel multiply with, census of its plans included
  std::string (*missing)() = nullptr;               ///< what this machine lacks; null or empty: nothing
  std::string (*decline)(const plan::Body& body);   ///< empty: accepts
  std::int64_t (*scratch)(const plan::Body& body);  ///< bytes that run() takes in one piece
  void (*run)(const plan::Body& body, const Inputs& inputs, const Outputs& outputs);
};

[[nodiscard]] std::span<const Kernel> table();

}  // namespace heed::kernel
