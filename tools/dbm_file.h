/// dbm_file.h: reads all entries of a DBM file: Berkeley DB (hash or b-tree) and GDBM, if their libraries were present
/// at build time, and text.
///
/// The first bytes of a file tell its format. Text is the output of db_dump, or lines with a key, white space and a
/// value; lines with # are comments. The whole file is read before the first entry is used.
#pragma once

#include <smtpd/base/result.h>

#include <string>
#include <utility>
#include <vector>

namespace smtpd::tools {

using DbmEntries = std::vector<std::pair<std::string, std::string>>;

/// The entries of the file or, if it does not exist, of "path.pag", as NDBM names it.
Result<DbmEntries> read_dbm(const std::string& path);

/// "Berkeley DB, GDBM, text": the formats that this build can read.
std::string dbm_formats();

}  // namespace smtpd::tools
