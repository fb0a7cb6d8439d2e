/* tls_engine_sim.h - the words of the test engine's file: what it shall do, and what it has done. */
#ifndef SS_TLS_ENGINE_SIM_H
#define SS_TLS_ENGINE_SIM_H

enum testengine_word {
	/* what it shall do, written by the test */
	TESTENGINE_PAUSE,      /* times that each operation pauses */
	TESTENGINE_FAIL_EVERY, /* every so many fails; 0: none */
	TESTENGINE_NEVER,      /* not 0: no operation ends */
	TESTENGINE_DELAY_US,   /* what an operation takes */
	/* what it has done */
	TESTENGINE_OPS,
	TESTENGINE_RSA,
	TESTENGINE_EC,
	TESTENGINE_SYNC,       /* of these, outside of a job */
	TESTENGINE_FAILED,
	TESTENGINE_PAUSED,
	TESTENGINE_POLLS,
	TESTENGINE_BEATS,
	TESTENGINE_COMMANDS,   /* that switch on external polling or the fallback */
	TESTENGINE_IN_FLIGHT,
	TESTENGINE_WORD_COUNT
};

#endif
