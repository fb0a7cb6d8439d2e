#include "tools/ctl/ctl_canary.h"

#include <stdio.h>

static void show_share(const char *word, const struct ctl_json *v)
{
	printf("  %-7s %s failed of %s requests, p99 %s ms\n", word, ctl_json_text(v, "failures"),
	       ctl_json_text(v, "requests"), ctl_json_text(v, "p99_ms"));
}

static void show_verdict(const struct ctl_json *v)
{
	printf("  judge   %s (%s%s)\n", ctl_json_text(v, "says"), ctl_json_text(v, "reason"),
	       *ctl_json_text(v, "significant") == 'y' ? ", significant" : "");
	show_share("stable", ctl_json_get(v, "stable"));
	show_share("canary", ctl_json_get(v, "canary"));
	printf("  errors  %s times stable's, at most %s points more; chance %s, more than the margin allows %s\n",
	       ctl_json_text(v, "error_ratio"), ctl_json_text(v, "fails_more_at_most_points"), ctl_json_text(v, "p_errors"),
	       ctl_json_text(v, "p_fails_more"));
	printf("  latency p99 %s times stable's, chance %s; slower by %s %% (%s to %s), chance %s\n",
	       ctl_json_text(v, "p99_ratio"), ctl_json_text(v, "p_p99"), ctl_json_text(v, "slower_percent"),
	       ctl_json_text(v, "slower_at_least_percent"), ctl_json_text(v, "slower_at_most_percent"),
	       ctl_json_text(v, "p_slower"));
	printf("  a chance below %s is none\n", ctl_json_text(v, "alpha"));
}

void ctl_show_canary(const struct ctl_json *v)
{
	const struct ctl_json *list = ctl_json_get(v, "canaries"), *c = list ? list->child : NULL;

	if (!c)
		printf("none\n");
	for (; c; c = c->next) {
		const struct ctl_json *verdict = ctl_json_get(c, "verdict");
		printf("%s: %s for %s s, %s %% to %s, the rest to %s\n", ctl_json_text(c, "name"), ctl_json_text(c, "state"),
		       ctl_json_text(c, "for_seconds"), ctl_json_text(c, "percent"), ctl_json_text(c, "canary"),
		       ctl_json_text(c, "stable"));
		printf("  since it was started: stable failed %s of %s, canary %s of %s\n", ctl_json_text(c, "failures_stable"),
		       ctl_json_text(c, "requests_stable"), ctl_json_text(c, "failures_canary"),
		       ctl_json_text(c, "requests_canary"));
		if (verdict)
			show_verdict(verdict);
	}
}
