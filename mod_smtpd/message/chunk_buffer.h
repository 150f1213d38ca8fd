/// chunk_buffer.h: octets in memory that only grow: a list of blocks that never move, each as large as all before it (4
/// KB to 64 KB).
///
/// A small message takes one block of its own size; a large one is never copied to make room. Blocks stay below the
/// size for which malloc asks the kernel. Not thread-safe.
#pragma once

#include <smtpd/message.h>

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace smtpd::message {

class ChunkBuffer {
public:
    static constexpr std::size_t smallest_chunk = 4096 - 64;
    static constexpr std::size_t largest_chunk = 64 * 1024;

    void append(std::string_view bytes);
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    /// Copies octets from `offset` on; returns how many, 0 at the end.
    std::size_t read(std::size_t offset, char* buffer, std::size_t size) const noexcept;
    Result<void> for_each(const ByteSink& sink) const;
    /// Adds the stored octets to a list for writev().
    void add_to(std::vector<iovec>& list) const;
    /// Removes the octets but keeps one block for the next ones.
    void reuse() noexcept;
    /// Removes the octets and frees the memory.
    void clear() noexcept;

private:
    struct Chunk {
        std::unique_ptr<char[]> data;
        std::size_t size = 0;
        std::size_t capacity = 0;
    };
    void add_chunk(std::size_t wanted);
    Chunk& last() noexcept { return more_.empty() ? first_ : more_.back(); }
    std::size_t chunk_count() const noexcept { return first_.data ? 1 + more_.size() : 0; }
    const Chunk& chunk(std::size_t index) const noexcept { return index == 0 ? first_ : more_[index - 1]; }

    Chunk first_;  // kept outside the vector: most messages need no other
    std::vector<Chunk> more_;
    std::size_t size_ = 0;
};

}  // namespace smtpd::message
