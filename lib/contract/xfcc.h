/*
 * xfcc.h - what of a client's certificate is told upstream (x-forwarded-client-cert), in Envoy's words.
 *
 * Takes:   nothing.
 * Gives:   the modes and the fields of a listener.
 * Owns:    nothing.
 * Thread:  any.
 * Errors:  none.
 */
#ifndef SS_XFCC_H
#define SS_XFCC_H

enum ss_xfcc_mode {
	SS_XFCC_SANITIZE = 0,        /* none is sent */
	SS_XFCC_FORWARD_ONLY = 1,    /* what came, over mutual TLS; else none */
	SS_XFCC_APPEND_FORWARD = 2,  /* what came, then the client's, over mutual TLS; else none */
	SS_XFCC_SANITIZE_SET = 3,    /* the client's alone, over mutual TLS; else none */
	SS_XFCC_ALWAYS_FORWARD_ONLY = 4, /* what came, over anything */
};

/* By and Hash are always there. */
enum ss_xfcc_field {
	SS_XFCC_SUBJECT = 1,
	SS_XFCC_URI = 2,
	SS_XFCC_DNS = 4,
	SS_XFCC_CERT = 8,
	SS_XFCC_CHAIN = 16,
	SS_XFCC_ON = 128,
};

#endif
