// The table of mechanisms: a new recipe is a file of its own and a row here.
#include "mechanism/mechanism.hpp"

namespace heed::mechanism {

std::span<const Recipe> recipes() {
  static const Recipe kAll[] = {softmax_attention()};
  return kAll;
}

}  // namespace heed::mechanism
