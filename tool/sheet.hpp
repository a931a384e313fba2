// The sheet: pooled attention maps of all heads on one picture that explains itself.
//
// Each panel is a head: query positions down, key positions across. A cell's colour is the share of its queries' attention that falls on
// its keys (a row of cells sums to 1), on a logarithmic scale from 0.01 % to 100 %, because shares span four orders of magnitude;
// cells without any weight (hidden by the mask) are grey.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis.hpp"
#include "io/png.hpp"

namespace heed::tool {

struct Panel {
  std::string title{}, caption{};
  std::vector<float> shares{};  ///< [rows, columns]
};

struct Sheet {
  std::string title{}, subtitle{};
  int rows = 1, columns = 1;           ///< cells of a panel
  std::int64_t queries = 0, keys = 0;  ///< positions along the axes
  std::vector<std::string> tokens{};   ///< one per key; empty: numbers only
  bool words_down = false;             ///< the tokens name the queries too
  std::vector<Panel> panels{};
};

/// Cells along an axis of so many positions.
[[nodiscard]] std::int64_t map_cells(std::int64_t positions);
/// At most kMostPanels heads are drawn; the subtitle says so.
inline constexpr std::size_t kMostPanels = 64;
[[nodiscard]] io::Canvas draw(const Sheet& sheet);
/// The sheet of a run with maps; captions speak of entropy and sinks where the run has statistics.
[[nodiscard]] Sheet sheet_of(const Plan& plan, const Results& results, const std::vector<std::string>& tokens, const std::string& title);

}  // namespace heed::tool
