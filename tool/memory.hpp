// Memory: what is being asked for, so that a refusal can say it, and a refusal before the system's own, which kills without a word.
#pragma once

#include <string>

#include <heed/tensor.hpp>

namespace heed::tool {

/// What is about to be allocated, in words: the message should memory run out. Set before every large step.
void asking_for(std::string what);
[[nodiscard]] const std::string& asked_for();

/// Notes `what` and its size as asked for. Throws Error when this machine (or this process's control group) has less to give.
void require_memory(const std::string& what, double bytes);

/// A tensor whose size is required first.
[[nodiscard]] Tensor make_tensor(const std::string& what, DType dtype, const Dims& shape);

}  // namespace heed::tool
