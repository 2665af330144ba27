// Queued work. Nothing runs when it is queued: an operation runs when a synchronisation needs it, together with what it depends on and
// nothing else, so that what a program forgot to wait for has not happened yet.
#pragma once

#include "state.h"

#include <set>

namespace simt {

struct Operation {
    std::function<void()> work;
    std::function<bool()> attempt;      // instead of it, for a transfer between processes
    std::vector<std::shared_ptr<Operation>> after;
    bool done = false;
    unsigned long serial = 0;           // in the order in which they are queued
    int device = -1;                    // see primaryDevice()
};
using OperationRef = std::shared_ptr<Operation>;

// An operation of a graph; `after` are indices of earlier nodes.
struct Node {
    std::function<void()> work;
    std::vector<int> after;
};

struct Capture {
    Stream *origin;
    std::vector<Node> nodes;
    std::set<Stream *> streams;
    bool invalid = false;
};

struct Stream {
    bool legacy = false, blocking = true;
    OperationRef last;
    std::shared_ptr<Capture> capture;
    std::vector<int> frontier;          // nodes that the next captured operation follows
};

struct Event {
    OperationRef recorded;
    std::shared_ptr<Capture> capture;
    std::vector<int> frontier;
    std::shared_ptr<double> seconds = std::make_shared<double>(0);
    bool timing = true;
};

struct Graph {
    std::vector<Node> nodes;
};

extern Stream legacyStream;
extern std::set<Stream *> streams;
extern std::set<Event *> events;
extern std::set<Graph *> graphs, executables;

// Runs the operation and what it needs, one by one. Without patience it returns where a transfer waits for another process.
void complete(const OperationRef &operation, bool patience = true);
// All work of the device whose context is current.
void completeAll();
// Runs work now, after all that the default stream waits for.
int runOnDefaultStream(std::function<void()> work);
// Whether a stream is being captured; such work must not be waited for, and asking spoils the capture.
bool capturing();
int refuseWhileCapturing();

int record(Event *event, Stream *stream);
int waitFor(Stream *stream, Event *event);
int beginCapture(Stream *stream);
int endCapture(Stream *stream, Graph *&graph);
void runGraph(const std::vector<Node> &nodes);
void forgetAll();

}  // namespace simt
