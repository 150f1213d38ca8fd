/// dbm_file.h: reads all entries of a DBM file: Berkeley DB (hash or b-tree) and GDBM, where the libraries were there
/// at build time, and text.
///
/// What the file is, is seen from its first octets. Text is what db_dump writes, or lines of a key, white space, and a
/// value; lines with # are comments. The whole file is read before anything is done with it.
#pragma once

#include <smtpd/base/result.h>

#include <string>
#include <utility>
#include <vector>

namespace smtpd::tools {

using DbmEntries = std::vector<std::pair<std::string, std::string>>;

/// The entries of the file; where there is none of that name, those of "path.pag", as NDBM makes it.
Result<DbmEntries> read_dbm(const std::string& path);

/// "Berkeley DB, GDBM, text": what can be read.
std::string dbm_formats();

}  // namespace smtpd::tools
