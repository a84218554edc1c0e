// Pages of metrics in Prometheus' text format (0.0.4): the application's behind the sidecar's own. One line
// that Prometheus cannot read costs it the whole page, the sidecar's part too, so nothing is passed on that
// was not understood. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace weft::sidecar {

// The application's page as it may stand behind ours: samples as they came, HELP and TYPE once for each
// family and before its samples; other comments, empty lines and TYPEs of other formats go. An OpenMetrics
// page (it ends with "# EOF") loses its exemplars and timestamps, which are written otherwise there. The
// error names the line that is no sample.
Result<std::string> readable_exposition(std::string_view page);

// `own` and behind it what of `application` (readable) belongs to families that `own` has not; a comment says
// how much was left out.
std::string merge_expositions(std::string own, std::string_view application);

// A comment that says why the application's part is missing.
std::string missing_application_comment(std::string_view why);

}  // namespace weft::sidecar
