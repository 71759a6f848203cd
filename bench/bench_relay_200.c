/* The same with 200 calls, by one media thread beside its own telephones: relay_lost and record_lost are to be 0. */
#define CALLS 200u
#include "bench/bench_relay.c"
