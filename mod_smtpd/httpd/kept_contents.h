/// kept_contents.h: the last valid contents of control files, kept across restarts of the server.
///
/// The texts live in the pool of the process, which outlives the configuration and this DSO, so they are plain bytes
/// without any code. One thread, in the parent, uses them while the configuration is checked.
#pragma once

#include "httpd/apache.h"

#include "host/control_files.h"

#include <map>
#include <string>

namespace smtpd::httpd {

class ProcessKeptContents final : public host::KeptContents {
public:
    /// `pool` is the process's.
    explicit ProcessKeptContents(apr_pool_t* pool) : pool_(pool) {}
    const ControlText* find(const std::string& name) const override;
    void keep(const std::string& name, const ControlText& text) override;

private:
    apr_pool_t* pool_;
    mutable std::map<std::string, ControlText> read_;
};

}  // namespace smtpd::httpd
