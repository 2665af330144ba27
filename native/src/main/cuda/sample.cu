// Draws a token from each row of logits (N,V): repetition penalty, temperature, top-k, top-p, min-p as the CPU's Sampler has them, with the
// same random numbers, so that logits need not leave the device. A block is a draw.
//
// A token's weight is its probability over the most probable one's, in 44 bits behind the point: whole numbers add up to the same bits in
// any order. What top-k and top-p keep are the heaviest tokens, down to a weight that is found bit by bit; where tokens of that very weight
// are kept in part, they are the first ones. The search runs over the few tokens that have a thousandth of the best one's weight, if the
// cut lies among them, else over all.
// Bytes: the row of logits three times and of weights (8 each) three times, most of it from the cache. Flops: two exponentials per logit.
#include "random.cuh"

#define SAMPLE_THREADS 1024
#define CANDIDATES 1024
// The most probable token's weight.
#define ONE (1ull << 44)
#define MUCH (ONE >> 10)

typedef unsigned long long Weight;

// Over a block of whole warps, in every thread.
template <typename T> static __device__ __forceinline__ T sumOverBlock(T x, T (&scratch)[32]) {
    for (int lanes = 16; lanes > 0; lanes >>= 1) x += __shfl_xor_sync(0xFFFFFFFFu, x, lanes);
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
    __syncthreads();
    T sum = 0;
    for (unsigned warp = 0; warp < blockDim.x / 32; warp++) sum += scratch[warp];
    __syncthreads();
    return sum;
}

struct Best {
    double score;
    int token;
};

// The higher score; of equal ones the first.
static __device__ __forceinline__ Best better(Best a, Best b) {
    return b.score > a.score || (b.score == a.score && b.token < a.token) ? b : a;
}

static __device__ __forceinline__ Best bestOverBlock(Best x, double (&scores)[32], int (&tokens)[32]) {
    for (int lanes = 16; lanes > 0; lanes >>= 1) {
        const Best other = {__shfl_xor_sync(0xFFFFFFFFu, x.score, lanes), __shfl_xor_sync(0xFFFFFFFFu, x.token, lanes)};
        x = better(x, other);
    }
    if (threadIdx.x % 32 == 0) {
        scores[threadIdx.x / 32] = x.score;
        tokens[threadIdx.x / 32] = x.token;
    }
    __syncthreads();
    for (unsigned warp = 0; warp < blockDim.x / 32; warp++) x = better(x, {scores[warp], tokens[warp]});
    __syncthreads();
    return x;
}

// The heaviest tokens: all above a weight and the first `ties` of it.
struct Cut {
    Weight weight;
    long ties;
    Weight above;  // what those above it add up to
};

// The cut below which the heaviest tokens first reach `wanted`, counted, or weighed.
static __device__ Cut cutAt(const Weight *weights, int n, bool weigh, Weight wanted, Weight (&scratch)[32]) {
    Cut cut = {0, 0, 0};
    Weight countAbove = 0;
    for (int bit = 44; bit >= 0; bit--) {
        const Weight least = cut.weight | 1ull << bit;
        Weight amount = 0, count = 0;
        for (int i = threadIdx.x; i < n; i += blockDim.x) {
            if (weights[i] >= least) {
                amount += weights[i];
                count++;
            }
        }
        amount = sumOverBlock(amount, scratch);
        count = sumOverBlock(count, scratch);
        if ((weigh ? amount : count) >= wanted) {
            cut.weight = least;
        } else {
            cut.above = amount;
            countAbove = count;
        }
    }
    if (weigh) cut.ties = cut.weight == 0 ? n : (long) ((wanted - cut.above + cut.weight - 1) / cut.weight);
    else cut.ties = (long) (wanted - countAbove);
    return cut;
}

// How much each token counts: 1 where it is a tie, or its weight where it is kept.
struct Counted {
    bool ties;
    Weight cut;
    int lastTie;
    Weight least;

    __device__ __forceinline__ Weight of(Weight weight, int token) const {
        if (ties) return weight == cut ? 1 : 0;
        return weight >= least && (weight > cut || (weight == cut && token <= lastTie)) ? weight : 0;
    }
};

// The first token at which the sum of what counts exceeds `point`, or a share of the whole sum where `point` is negative.
static __device__ int locate(const Weight *weights, int n, const Counted &counted, double share, long point, Weight (&scratch)[32],
                             int *found) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const int first = (int) min((long) n, (long) warp * ((n + warps - 1) / warps));
    const int end = min(n, first + (n + warps - 1) / warps);
    Weight own = 0;
    for (int i = first + lane; i < end; i += 32) own += counted.of(weights[i], i);
    for (int lanes = 16; lanes > 0; lanes >>= 1) own += __shfl_xor_sync(0xFFFFFFFFu, own, lanes);
    if (lane == 0) scratch[warp] = own;
    if (threadIdx.x == 0) *found = 0;
    __syncthreads();
    Weight before = 0, all = 0;
    for (int i = 0; i < warps; i++) {
        before += i < warp ? scratch[i] : 0;
        all += scratch[i];
    }
    Weight wanted = (Weight) point;
    if (point < 0) wanted = min((Weight) (share * (double) all), all - 1);
    if (wanted >= before && wanted < before + own) {
        for (int i = first; i < end; i += 32) {
            Weight sum = i + lane < end ? counted.of(weights[i + lane], i + lane) : 0;
            for (int lanes = 1; lanes < 32; lanes <<= 1) {
                const Weight left = __shfl_up_sync(0xFFFFFFFFu, sum, lanes);
                if (lane >= lanes) sum += left;
            }
            const unsigned beyond = __ballot_sync(0xFFFFFFFFu, before + sum > wanted);
            if (beyond != 0) {
                if (lane == 0) *found = i + __ffs((int) beyond) - 1;
                break;
            }
            before += __shfl_sync(0xFFFFFFFFu, sum, 31);
        }
    }
    __syncthreads();
    const int token = *found;
    __syncthreads();
    return token;
}

static __device__ __forceinline__ double scoreOf(const float *logits, int token, const unsigned *seen, double penalty) {
    const double score = logits[token];
    if (penalty == 1 || (seen[token / 32] >> token % 32 & 1) == 0) return score;
    return score > 0 ? score / penalty : score * penalty;
}

// What of the weights is kept.
static __device__ Counted keep(const Weight *weights, int vocabulary, Weight total, int topK, double topP, double minP,
                               Weight (&candidates)[CANDIDATES], int *count, Weight (&scratch)[32]) {
    Counted kept = {false, 0, vocabulary, max(1ull, (Weight) ceil(minP * (double) ONE))};
    const bool some = topK > 0 && topK < vocabulary;
    if (!some && topP >= 1) return kept;
    if (threadIdx.x == 0) *count = 0;
    __syncthreads();
    Weight much = 0;
    for (int i = threadIdx.x; i < vocabulary; i += blockDim.x) {
        if (weights[i] >= MUCH) {
            const int at = atomicAdd(count, 1);
            if (at < CANDIDATES) candidates[at] = weights[i];
            much += weights[i];
        }
    }
    much = sumOverBlock(much, scratch);
    const int few = *count;
    Cut cut = {0, vocabulary, total};
    if (some) {
        const bool among = few <= CANDIDATES && few >= topK;
        cut = cutAt(among ? candidates : weights, among ? few : vocabulary, false, topK, scratch);
        total = cut.above + cut.ties * cut.weight;
    }
    if (topP < 1) {
        const Weight wanted = min(total, max(1ull, (Weight) ceil(topP * (double) total)));
        const bool among = few <= CANDIDATES && much >= wanted;
        const Cut nucleus = cutAt(among ? candidates : weights, among ? few : vocabulary, true, wanted, scratch);
        if (nucleus.weight > cut.weight || (nucleus.weight == cut.weight && nucleus.ties < cut.ties)) cut = nucleus;
    }
    const Counted ties = {true, cut.weight, 0, 0};
    kept.cut = cut.weight;
    kept.lastTie = cut.weight == 0 ? vocabulary : locate(weights, vocabulary, ties, 0, cut.ties - 1, scratch, count);
    return kept;
}

// result: two for each draw, the token and its log-probability's bits. draws: for each its row of logits, then for each its stream of random
// numbers, then its position, then where its tokens in `seen` begin and, one more, where the last one's end. weights: V for each draw.
// Dynamic shared memory: a bit for each token where there is a penalty.
extern "C" __global__ void __launch_bounds__(SAMPLE_THREADS)
    sample(long *result, Weight *weights, const float *logits, int vocabulary, const long *draws, const int *seen, double temperature,
           int topK, double topP, double minP, double penalty) {
    DYNAMIC_SHARED(unsigned, marks);
    __shared__ Weight candidates[CANDIDATES];
    __shared__ Weight scratch[32];
    __shared__ double scores[32];
    __shared__ int tokens[32];
    __shared__ float maxima[32];
    __shared__ int number;
    const int draw = blockIdx.x, count = gridDim.x;
    const float *row = logits + draws[draw] * vocabulary;
    Weight *weight = weights + (long) draw * vocabulary;
    if (penalty != 1) {
        for (int i = threadIdx.x; i < (vocabulary + 31) / 32; i += blockDim.x) marks[i] = 0;
        __syncthreads();
        const long end = draws[3 * count + draw + 1];
        for (long i = draws[3 * count + draw] + threadIdx.x; i < end; i += blockDim.x) {
            atomicOr(&marks[seen[i] / 32], 1u << seen[i] % 32);
        }
        __syncthreads();
    }
    float rowMax = -INFINITY;
    for (int i = threadIdx.x; i < vocabulary; i += blockDim.x) rowMax = fmaxf(rowMax, row[i]);
    rowMax = blockMax(rowMax, maxima);
    double sum = 0;
    Best best = {-INFINITY, vocabulary};
    for (int i = threadIdx.x; i < vocabulary; i += blockDim.x) {
        sum += exp((double) row[i] - rowMax);
        best = better(best, {scoreOf(row, i, marks, penalty), i});
    }
    sum = sumOverBlock(sum, scores);
    best = bestOverBlock(best, scores, tokens);
    // Logits that are no numbers have no best one.
    int token = best.token < vocabulary ? best.token : 0;
    if (temperature > 0) {
        Weight total = 0;
        for (int i = threadIdx.x; i < vocabulary; i += blockDim.x) {
            weight[i] = (Weight) (exp((scoreOf(row, i, marks, penalty) - best.score) / temperature) * (double) ONE);
            total += weight[i];
        }
        total = sumOverBlock(total, scratch);
        const Counted kept = keep(weight, vocabulary, total, topK, topP, minP, candidates, &number, scratch);
        const double uniform = randomUniform(draws[count + draw], draws[2 * count + draw]);
        token = locate(weight, vocabulary, kept, uniform, -1, scratch, &number);
    }
    if (threadIdx.x == 0) {
        result[2 * draw] = token;
        result[2 * draw + 1] = __double_as_longlong(row[token] - (rowMax + log(sum)));
    }
}
CALM_KERNEL(sample)
