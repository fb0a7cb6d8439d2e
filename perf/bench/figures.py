"""Every figure by name: its unit, whether more or less of it is better, and what it means."""
from collections import namedtuple

Figure = namedtuple("Figure", "label unit better meaning")
MORE, LESS = "more", "less"

FIGURES = {
    "throughput_rps": Figure("Requests per second", "1/s", MORE,
                             "Closed loop, at saturation of whichever core is full. Client and origin share a core: "
                             "where that one is full, this is a lower bound of what the subject could do."),
    "busy_us": Figure("Busy time of the subject", "µs/request", LESS,
                      "What the subject's core had to do for one request: for a polling subject the time of its turns "
                      "that had work, for the others every moment in which their core was not idle."),
    "tsc_cycles": Figure("The same in TSC cycles", "cycles/request", LESS, "busy_us times the rate of the time-stamp "
                         "counter, which is not the core's clock."),
    "both_cores_us": Figure("Both cores", "µs/request", LESS,
                            "Busy time of the subject and non-idle time of the other core: what a request costs the "
                            "machine, client and origin included."),
    "subject_core_us": Figure("The subject's core", "µs/request", LESS, "Non-idle time of that core."),
    "other_core_us": Figure("The client's and origin's core", "µs/request", LESS, "Non-idle time of that core. On "
                            "veth it also does the receiving for what it sends to the subject."),
    "user_us": Figure("User mode, both cores", "µs/request", LESS, ""),
    "system_us": Figure("System, both cores", "µs/request", LESS, ""),
    "softirq_us": Figure("Interrupts and softirq, both cores", "µs/request", LESS, ""),
    "subject_core_busy": Figure("Load of the subject's core", "share", None, "1: full."),
    "other_core_busy": Figure("Load of the other core", "share", None, "1: full; then the client is the limit."),
    "packets": Figure("Packets of the subject", "per request", LESS, "Received and sent, on both sides."),
    "offered_rps": Figure("Offered rate", "1/s", None, "The share of the subject's own capacity, which was "
                          "measured just before."),
    "start_ms": Figure("Start", "ms", LESS, "From the command to the first connection that can be made, what the "
                       "harness itself takes included."),
    "reload_ms": Figure("One reload", "ms", LESS, "From the operator's word to its answer: read, compiled, taken over "
                        "by the workers."),
    "reloads": Figure("Reloads while measuring", "", None, ""),
    "p50_us": Figure("Latency, p50", "µs", LESS, "From the moment a request was due, open loop."),
    "p90_us": Figure("Latency, p90", "µs", LESS, "From the moment a request was due, open loop."),
    "p99_us": Figure("Latency, p99", "µs", LESS, "From the moment a request was due, open loop."),
    "added_p50_us": Figure("Added latency, p50", "µs", LESS, "Through the subject minus straight to the origin."),
    "added_p99_us": Figure("Added latency, p99", "µs", LESS, "Through the subject minus straight to the origin."),
    "sidecar_latency_ms": Figure("Sidecar latency", "ms", LESS, "The added p50, in the unit that meshes use."),
    "mtls_overhead_ms": Figure("mTLS overhead", "ms", LESS, "Added p50 of the hop with mutual TLS on both sides minus "
                               "that of the same hop in plaintext."),
    "mtls_over_plaintext": Figure("mTLS over plaintext", "ratio", LESS, "Busy time of the hop with mutual TLS on both "
                                  "sides over that of the same hop in plaintext."),
    "handshakes_per_s": Figure("Full mTLS handshakes", "1/s", MORE, "New connections with both certificates verified, "
                               "each with one request; the client may be the limit (see its core's load)."),
    "resumed": Figure("Resumed handshakes", "share", None, "Of a client that offers its last ticket; a subject that "
                      "gives no tickets has none."),
    "memory_per_sidecar_mb": Figure("Memory of the sidecar", "MB", LESS, "Proportional set while the connections are "
                                    "held; kernel socket memory of the peers is not in it."),
    "memory_empty_mb": Figure("Memory before", "MB", LESS, "The same of a subject that has just started."),
    "connection_bytes": Figure("Memory per idle connection", "bytes", LESS, "What holding the connections added to "
                               "the process, for sidestep with everything that a configuration for so many adds."),
    "idle_busy": Figure("CPU while idle", "share", LESS, "Of the subject's core, nothing asked of it."),
    "stages_sum": Figure("Stages over busy time", "ratio", None, "Stages and marks of the sampled turns over the "
                         "time that these took: 1 when the ledger is right."),
    "foreign_cpu": Figure("Foreign CPU", "share", None, "Of one core, programs that are none of ours."),
    "steal": Figure("Steal", "share", None, "Of one core, taken by the hypervisor."),
    "disturbed": Figure("Disturbed rounds", "share", None, "1: foreign CPU or steal exceeded 5 % in every try."),
}
# What a subject is judged by; each gets a paired ratio, round by round.
KEY = ("throughput_rps", "busy_us", "both_cores_us", "handshakes_per_s", "added_p50_us", "added_p99_us",
       "connection_bytes", "memory_per_sidecar_mb")
AHEAD, STAGE = "ahead.", "stage."
CONDITIONS = ("foreign_cpu", "steal", "disturbed")


def describe(name):
    """The figure of that name; stages and ratios are named by what they are of."""
    if name.startswith(STAGE):
        return Figure("Stage " + name[len(STAGE):], "µs/request", LESS, "Exclusive time of that room, sampled turns.")
    if name.startswith(AHEAD):
        of = describe(name[len(AHEAD):])
        return Figure(f"sidestep's lead, {of.label}", "times", None,
                      "Above 1: sidestep is better by so many times, in the same round.")
    return FIGURES.get(name, Figure(name, "", None, ""))


def shown(v):
    """A number for a reader: four digits are more than the noise allows."""
    if v == 0:
        return "0"
    if abs(v) >= 1000:
        return f"{v:,.0f}"
    return f"{v:.4g}"
