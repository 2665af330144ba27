// Streams, events and graphs.
#include "driver.h"

using namespace simt;

API cuStreamCreateWithPriority(void **handle, unsigned flags, int) {
    ENTER;
    auto *s = new Stream;
    s->blocking = (flags & 1) == 0;
    streams.insert(s);
    *handle = s;
    return SUCCESS;
}
API cuStreamCreate(void **handle, unsigned flags) {
    return cuStreamCreateWithPriority(handle, flags, 0);
}
API cuStreamDestroy_v2(void *handle) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr || s == &legacyStream) return INVALID_HANDLE;
    complete(s->last);
    streams.erase(s);
    delete s;
    return sticky;
}
API cuStreamSynchronize(void *handle) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    if (s == &legacyStream) {
        if (capturing()) return refuseWhileCapturing();
        // Queued now, a marker follows all that the default stream waits for.
        return runOnDefaultStream([] {});
    }
    if (s->capture != nullptr) return refuseWhileCapturing();
    complete(s->last);
    return sticky;
}
// The first answer is "not ready", as if the work had just not ended; then it has.
API cuStreamQuery(void *handle) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    if (s->capture != nullptr) return refuseWhileCapturing();
    if (s->last == nullptr || s->last->done) return SUCCESS;
    complete(s->last, false);
    return sticky != 0 ? sticky : NOT_READY;
}
API cuStreamWaitEvent(void *handle, void *event, unsigned) {
    ENTER;
    Stream *s = stream(handle);
    auto *e = static_cast<Event *>(event);
    if (s == nullptr || !events.count(e)) return INVALID_HANDLE;
    return waitFor(s, e);
}
API cuStreamGetFlags(void *handle, unsigned *flags) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    *flags = s->blocking ? 0 : 1;
    return SUCCESS;
}
API cuStreamBeginCapture_v2(void *handle, int) {
    ENTER;
    Stream *s = stream(handle);
    return s == nullptr ? INVALID_HANDLE : beginCapture(s);
}
API cuStreamEndCapture(void *handle, void **graph) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    *graph = nullptr;
    Graph *g = nullptr;
    int result = endCapture(s, g);
    *graph = g;
    return result;
}
API cuStreamIsCapturing(void *handle, int *status) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    *status = s->capture == nullptr ? 0 : s->capture->invalid ? 2 : 1;
    return SUCCESS;
}
API cuThreadExchangeStreamCaptureMode(int *) {
    return SUCCESS;
}

API cuEventCreate(void **event, unsigned flags) {
    ENTER;
    auto *e = new Event;
    e->timing = (flags & 2) == 0;
    events.insert(e);
    *event = e;
    return SUCCESS;
}
API cuEventDestroy_v2(void *event) {
    ENTER;
    auto *e = static_cast<Event *>(event);
    if (events.erase(e) == 0) return INVALID_HANDLE;
    delete e;
    return SUCCESS;
}
API cuEventRecord(void *event, void *handle) {
    ENTER;
    Stream *s = stream(handle);
    auto *e = static_cast<Event *>(event);
    if (s == nullptr || !events.count(e)) return INVALID_HANDLE;
    return record(e, s);
}
API cuEventSynchronize(void *event) {
    ENTER;
    auto *e = static_cast<Event *>(event);
    if (!events.count(e)) return INVALID_HANDLE;
    if (e->capture != nullptr) return refuseWhileCapturing();
    complete(e->recorded);
    return sticky;
}
API cuEventQuery(void *event) {
    ENTER;
    auto *e = static_cast<Event *>(event);
    if (!events.count(e)) return INVALID_HANDLE;
    if (e->capture != nullptr) return refuseWhileCapturing();
    if (e->recorded == nullptr || e->recorded->done) return SUCCESS;
    complete(e->recorded, false);
    return sticky != 0 ? sticky : NOT_READY;
}
API cuEventElapsedTime(float *milliseconds, void *start, void *end) {
    ENTER;
    auto *s = static_cast<Event *>(start), *e = static_cast<Event *>(end);
    if (!events.count(s) || !events.count(e) || !s->timing || !e->timing || !s->recorded || !e->recorded) return INVALID_HANDLE;
    if (!s->recorded->done || !e->recorded->done) return NOT_READY;
    *milliseconds = (float) (1e3 * (*e->seconds - *s->seconds));
    return SUCCESS;
}

// ---- graphs ----

API cuGraphDestroy(void *graph) {
    ENTER;
    auto *g = static_cast<Graph *>(graph);
    if (graphs.erase(g) == 0) return INVALID_HANDLE;
    delete g;
    return SUCCESS;
}
API cuGraphGetNodes(void *graph, void **, size_t *count) {
    ENTER;
    auto *g = static_cast<Graph *>(graph);
    if (!graphs.count(g)) return INVALID_HANDLE;
    *count = g->nodes.size();
    return SUCCESS;
}
API cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long) {
    ENTER;
    auto *g = static_cast<Graph *>(graph);
    if (!graphs.count(g)) return INVALID_HANDLE;
    auto *e = new Graph(*g);
    executables.insert(e);
    *executable = e;
    return SUCCESS;
}
API cuGraphExecDestroy(void *executable) {
    ENTER;
    auto *e = static_cast<Graph *>(executable);
    if (!executables.count(e)) return INVALID_HANDLE;
    completeAll();
    executables.erase(e);
    delete e;
    return sticky;
}
API cuGraphUpload(void *, void *) {
    ENTER;
    return SUCCESS;
}
API cuGraphLaunch(void *executable, void *handle) {
    ENTER;
    Stream *s = stream(handle);
    auto *e = static_cast<Graph *>(executable);
    if (s == nullptr || !executables.count(e)) return INVALID_HANDLE;
    counters.graphLaunches++;
    return enqueue(s, [e] { runGraph(e->nodes); });
}
