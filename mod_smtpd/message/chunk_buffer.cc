/// chunk_buffer.cc: see chunk_buffer.h.
#include "message/chunk_buffer.h"

#include <algorithm>
#include <cstring>

namespace smtpd::message {

void ChunkBuffer::add_chunk(std::size_t wanted) {
    const std::size_t capacity = std::clamp(std::max(wanted, size_), smallest_chunk, largest_chunk);
    Chunk chunk{std::unique_ptr<char[]>(new char[capacity]), 0, capacity};  // not make_unique, which would clear it
    if (first_.data) more_.push_back(std::move(chunk));
    else first_ = std::move(chunk);
}

void ChunkBuffer::append(std::string_view bytes) {
    while (!bytes.empty()) {
        if (last().size == last().capacity) add_chunk(bytes.size());
        Chunk& chunk = last();
        const std::size_t count = std::min(bytes.size(), chunk.capacity - chunk.size);
        std::memcpy(chunk.data.get() + chunk.size, bytes.data(), count);
        chunk.size += count;
        size_ += count;
        bytes.remove_prefix(count);
    }
}

std::size_t ChunkBuffer::read(std::size_t offset, char* buffer, std::size_t size) const noexcept {
    std::size_t copied = 0;
    for (std::size_t i = 0; i < chunk_count() && copied < size; ++i) {
        const Chunk& from = chunk(i);
        if (offset < from.size) {
            const std::size_t count = std::min(size - copied, from.size - offset);
            std::memcpy(buffer + copied, from.data.get() + offset, count);
            copied += count;
            offset = 0;
        } else {
            offset -= from.size;
        }
    }
    return copied;
}

Result<void> ChunkBuffer::for_each(const ByteSink& sink) const {
    for (std::size_t i = 0; i < chunk_count(); ++i) {
        if (chunk(i).size == 0) continue;
        if (auto taken = sink({chunk(i).data.get(), chunk(i).size}); !taken) return taken;
    }
    return {};
}

void ChunkBuffer::add_to(std::vector<iovec>& list) const {
    for (std::size_t i = 0; i < chunk_count(); ++i) list.push_back({chunk(i).data.get(), chunk(i).size});
}

void ChunkBuffer::reuse() noexcept {
    if (!more_.empty()) first_ = std::move(more_.back());  // the largest
    more_.clear();
    first_.size = size_ = 0;
}

void ChunkBuffer::clear() noexcept {
    first_ = {};
    more_ = std::vector<Chunk>();
    size_ = 0;
}

}  // namespace smtpd::message
