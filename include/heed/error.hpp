// The one error of heed: what is wrong, where, what was expected and what was found.
//
// Every refusal of bad input is thrown as heed::Error from the C++ interface. The library never prints, aborts or exits.
#pragma once

#include <stdexcept>
#include <string>

namespace heed {

class Error : public std::runtime_error {
 public:
  /// The four things a reader needs to mend the call. `where`, `expected` and `found` may be empty.
  struct Parts {
    std::string what{};      ///< what is wrong, in one clause: "heads are not a multiple of kv heads"
    std::string where{};     ///< the argument, file, or column: "tensor k of file x.npz"
    std::string expected{};  ///< what would have been right: "9 % Hkv == 0"
    std::string found{};     ///< what was there: "Hkv = 2"
  };

  explicit Error(Parts parts);

  [[nodiscard]] const Parts& parts() const { return parts_; }

 private:
  Parts parts_;
};

}  // namespace heed
