#include "memory.hpp"

#include <heed/available.hpp>
#include <heed/error.hpp>

#include "report.hpp"

namespace heed::tool {
namespace {

std::string asked;

}  // namespace

void asking_for(std::string what) {
  asked = std::move(what);
}

const std::string& asked_for() {
  return asked;
}

void require_memory(const std::string& what, double bytes) {
  asking_for(what + ", " + bytes_text(bytes));
  constexpr double kSmall = 64.0 * 1024 * 1024;  // not worth asking
  if (bytes <= kSmall) return;
  const double left = available_memory();
  if (bytes > left) throw Error({"not enough memory", what, bytes_text(bytes), bytes_text(left) + " available"});
}

Tensor make_tensor(const std::string& what, DType dtype, const Dims& shape) {
  require_memory(what, static_cast<double>(count_of(shape)) * static_cast<double>(size_of(dtype)));
  return {dtype, shape};
}

}  // namespace heed::tool
