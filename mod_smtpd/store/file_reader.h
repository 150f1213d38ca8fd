/// file_reader.h: reads the file of a FileStore without changing it, or anything beside it, whether or not a server has
/// it open.
///
/// If the file has a non-empty log, SQLite reads both, under the writers' locks; otherwise only the file is read. A
/// missing file is empty.
#pragma once

#include "store/overlay_store.h"

#include <memory>
#include <string>

struct sqlite3;

namespace smtpd::store {

class FileReader final : public Underlay {
public:
    FileReader(std::string path, const Clock& clock) : path_(std::move(path)), clock_(clock) {}
    ~FileReader() override { stop(); }

    Result<std::optional<SeenEntry>> get(const Item& item, Limit limit) noexcept override;
    Result<Backend::Page> list(const Item& prefix, std::size_t count, std::string_view from,
                               Limit limit) noexcept override;
    void stop() noexcept override;
    /// The namespaces that have entries, with their numbers of entries, sorted by name.
    Result<std::vector<SpaceSize>> spaces(Limit limit) noexcept;

private:
    class Query;
    /// False if there is no file.
    Result<bool> open(Limit limit);
    Error failed() const;
    std::int64_t now() const noexcept;

    const std::string path_;
    const Clock& clock_;
    sqlite3* handle_ = nullptr;
};

}  // namespace smtpd::store
