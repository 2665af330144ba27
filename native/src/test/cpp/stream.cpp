#include "driver.h"

#include <algorithm>
#include <deque>
#include <time.h>
#include <unistd.h>

namespace simt {

Stream legacyStream = {true, true, nullptr, nullptr, {}};
std::set<Stream *> streams;
std::set<Event *> events;
std::set<Graph *> graphs, executables;

namespace {

std::deque<OperationRef> pending;       // in the order in which they were queued
unsigned long lastSerial, runningSerial;

// What a transfer touches, as long as older work is not done.
struct Claim {
    Range range;
    OperationRef transfer;
};
std::vector<Claim> claims;

void forgetDone() {
    while (!pending.empty() && pending.front()->done) pending.pop_front();
    std::erase_if(claims, [](const Claim &c) {
        return c.transfer->done && (pending.empty() || pending.front()->serial > c.transfer->serial);
    });
}

double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

OperationRef submit(Stream *stream, std::function<void()> work) {
    auto operation = std::make_shared<Operation>();
    operation->work = std::move(work);
    operation->serial = ++lastSerial;
    operation->device = primaryDevice();
    auto follow = [&](const OperationRef &before) {
        if (before != nullptr && !before->done) operation->after.push_back(before);
    };
    follow(stream->last);
    // The default stream waits for all blocking streams, and they for it.
    if (stream->legacy) {
        for (Stream *other : streams) {
            if (other->blocking) follow(other->last);
        }
    } else if (stream->blocking) {
        follow(legacyStream.last);
    }
    stream->last = operation;
    pending.push_back(operation);
    return operation;
}

}  // namespace

Stream *stream(void *handle) {
    if (handle == nullptr || handle == reinterpret_cast<void *>(1)) return &legacyStream;
    auto *s = static_cast<Stream *>(handle);
    return streams.count(s) ? s : nullptr;
}

int enqueue(Stream *stream, std::function<void()> work) {
    if (stream->legacy && capturing()) return refuseWhileCapturing();
    if (stream->capture != nullptr) {
        if (stream->capture->invalid) return CAPTURE_INVALIDATED;
        stream->capture->nodes.push_back({std::move(work), stream->frontier});
        stream->frontier = {(int) stream->capture->nodes.size() - 1};
        return SUCCESS;
    }
    submit(stream, std::move(work));
    return SUCCESS;
}

void complete(const OperationRef &target, bool patience) {
    if (target == nullptr || target->done) return;
    std::vector<OperationRef> stack = {target};
    while (!stack.empty()) {
        OperationRef operation = stack.back();
        auto open = std::find_if(operation->after.begin(), operation->after.end(), [](auto &o) { return !o->done; });
        if (!operation->done && open != operation->after.end()) {
            stack.push_back(*open);
            continue;
        }
        if (operation->done) {
            stack.pop_back();
            continue;
        }
        runningSerial = operation->serial;
        if (sticky == 0 && operation->attempt != nullptr && !operation->attempt()) {
            if (!patience) return;
            // Other threads may go on, with work of other devices.
            lock.unlock();
            usleep(50);
            lock.lock();
            continue;
        }
        if (sticky == 0 && operation->work != nullptr) operation->work();
        operation->done = true;
        operation->work = nullptr;
        operation->attempt = nullptr;
        operation->after.clear();
    }
    forgetDone();
}

int enqueueTransfer(Stream *stream, std::function<bool()> attempt, const std::vector<Range> &ranges) {
    if (stream->legacy && capturing()) return refuseWhileCapturing();
    if (stream->capture != nullptr) {
        report("a transfer between processes in a captured stream is not in the stand-in");
        return NOT_SUPPORTED;
    }
    OperationRef operation = submit(stream, nullptr);
    operation->attempt = std::move(attempt);
    for (const Range &range : ranges) claims.push_back({range, operation});
    return SUCCESS;
}

const char *unorderedTransfer(const void *p, size_t size, bool write) {
#ifdef SIMT_CHECK
    static std::string text;
    for (const Claim &claim : claims) {
        const Range &r = claim.range;
        unsigned long serial = claim.transfer->serial;
        auto *start = static_cast<const char *>(p), *other = static_cast<const char *>(r.p);
        if (serial == runningSerial || (!write && !r.write) || start >= other + r.size || other >= start + size) continue;
        bool overtakes = serial < runningSerial && !claim.transfer->done, overtaken = serial > runningSerial && claim.transfer->done;
        if (!overtakes && !overtaken) continue;
        text = std::string(write ? "writes" : "reads") + " what " + r.who + (r.write ? " writes" : " reads") + ", and nothing waits for "
            + (overtakes ? "that one" : "this one") + ": " + describe((uintptr_t) std::max(start, other));
        return text.c_str();
    }
#else
    (void) p, (void) size, (void) write;
#endif
    return nullptr;
}

void completeAll() {
    std::vector<OperationRef> all;
    std::copy_if(pending.begin(), pending.end(), std::back_inserter(all), [](auto &o) { return !o->done && o->device == primaryDevice(); });
    if (options.order == Order::REVERSE) std::reverse(all.begin(), all.end());
    if (options.order == Order::RANDOM) {
        for (size_t i = all.size(); i > 1; i--) std::swap(all[i - 1], all[random((unsigned) i)]);
    }
    for (const OperationRef &operation : all) complete(operation);
    forgetDone();
}

int runOnDefaultStream(std::function<void()> work) {
    int result = enqueue(&legacyStream, std::move(work));
    if (result != SUCCESS) return result;
    complete(legacyStream.last);
    return sticky;
}

bool capturing() {
    return std::any_of(streams.begin(), streams.end(), [](Stream *s) { return s->capture != nullptr; });
}

int refuseWhileCapturing() {
    for (Stream *s : streams) {
        if (s->capture != nullptr) s->capture->invalid = true;
    }
    report("a call that is not allowed while a stream is captured");
    return CAPTURE_UNSUPPORTED;
}

int record(Event *event, Stream *stream) {
    if (stream->capture != nullptr) {
        event->capture = stream->capture;
        event->frontier = stream->frontier;
        event->recorded = nullptr;
        return SUCCESS;
    }
    event->capture = nullptr;
    auto seconds = event->seconds;
    event->recorded = submit(stream, [seconds] { *seconds = now(); });
    return SUCCESS;
}

int waitFor(Stream *stream, Event *event) {
    if (event->capture != nullptr) {
        if (stream->capture != nullptr && stream->capture != event->capture) return CAPTURE_ISOLATION;
        if (stream->capture == nullptr) {
            stream->capture = event->capture;
            stream->capture->streams.insert(stream);
            stream->frontier.clear();
        }
        for (int node : event->frontier) {
            auto &frontier = stream->frontier;
            if (std::find(frontier.begin(), frontier.end(), node) == frontier.end()) frontier.push_back(node);
        }
        return SUCCESS;
    }
    if (stream->capture != nullptr) return CAPTURE_ISOLATION;
    if (event->recorded == nullptr || event->recorded->done) return SUCCESS;
    submit(stream, [] {})->after.push_back(event->recorded);
    return SUCCESS;
}

int beginCapture(Stream *stream) {
    if (stream->legacy || stream->capture != nullptr) return CAPTURE_UNSUPPORTED;
    stream->capture = std::make_shared<Capture>();
    stream->capture->origin = stream;
    stream->capture->streams = {stream};
    stream->frontier.clear();
    return SUCCESS;
}

int endCapture(Stream *stream, Graph *&graph) {
    auto capture = stream->capture;
    if (capture == nullptr || capture->origin != stream) return CAPTURE_UNMATCHED;
    std::vector<bool> joined(capture->nodes.size());
    std::vector<int> open = stream->frontier;
    while (!open.empty()) {
        int node = open.back();
        open.pop_back();
        if (joined[node]) continue;
        joined[node] = true;
        open.insert(open.end(), capture->nodes[node].after.begin(), capture->nodes[node].after.end());
    }
    for (Stream *s : capture->streams) {
        if (!streams.count(s)) continue;
        s->capture = nullptr;
        s->frontier.clear();
    }
    for (Event *event : events) {
        if (event->capture == capture) event->capture = nullptr;
    }
    if (capture->invalid) return CAPTURE_INVALIDATED;
    if (std::find(joined.begin(), joined.end(), false) != joined.end()) {
        report("end of a capture: a stream that was forked is not joined again");
        return CAPTURE_UNJOINED;
    }
    graph = new Graph{capture->nodes};
    graphs.insert(graph);
    return SUCCESS;
}

// Any order that the edges allow: so that a missing edge shows, the reverse order takes of all that can run the node captured last.
void runGraph(const std::vector<Node> &nodes) {
    std::vector<bool> done(nodes.size());
    for (size_t ran = 0; ran < nodes.size() && sticky == 0; ran++) {
        std::vector<size_t> open;
        for (size_t i = 0; i < nodes.size(); i++) {
            bool can = !done[i] && std::all_of(nodes[i].after.begin(), nodes[i].after.end(), [&](int before) { return done[before]; });
            if (can) open.push_back(i);
            if (can && options.order == Order::FORWARD) break;
        }
        size_t next = options.order == Order::RANDOM ? open[random((unsigned) open.size())] : open.back();
        nodes[next].work();
        done[next] = true;
    }
}

void forgetAll() {
    for (const OperationRef &operation : pending) {
        operation->done = true;
        operation->after.clear();
    }
    pending.clear();
    claims.clear();
    for (Stream *s : streams) delete s;
    for (Event *e : events) delete e;
    for (Graph *g : graphs) delete g;
    for (Graph *g : executables) delete g;
    streams.clear();
    events.clear();
    graphs.clear();
    executables.clear();
    legacyStream.last = nullptr;
}

}  // namespace simt
