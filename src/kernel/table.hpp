// The table of kernels, best first, reference last. A kernel that declines says why; adding a machine is a folder and a row.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <heed/plan.hpp>

#include "plan/body.hpp"

namespace heed::kernel {

struct Words;

struct Kernel {
  std::string_view name;
  std::string_view what;                            ///< one sentence for people
  bool fused;                                       ///< memory linear in T; strict mode accepts nothing else
  const Words* (*words)();                          ///< the words that walks of this kernel use; also those of census for its plans
  std::string (*decline)(const plan::Body& body);   ///< empty: accepts
  std::int64_t (*scratch)(const plan::Body& body);  ///< bytes that run() takes in one piece
  void (*run)(const plan::Body& body, const Inputs& inputs, const Outputs& outputs);
};

[[nodiscard]] std::span<const Kernel> table();

}  // namespace heed::kernel
