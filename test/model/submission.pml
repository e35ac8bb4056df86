// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

/*
 * The way of one TranscriptionJob through one attempt, as a Promela model for spin: two managers that both believe they
 * lead, the webhook receiver, the provider, a user who deletes, and time. Everything may happen between any two steps.
 *
 * Steps carry the names of what does them, behind an at sign: functions, methods and constants of controllers, or, with
 * the package's name, of another one. TestNames holds them to the code. model_test.go runs the model, and runs it again with each of
 * the mutations below, which must each be noticed.
 *
 * Time is two facts about each claim: EXPIRED (its notAfter has passed, by the manager's clock) and SETTLED (the list lag and
 * the clocks' skew have passed as well). What is assumed of the world is what `clock` waits for: a submission that was
 * accepted before EXPIRED is in the list before SETTLED.
 *
 * Faults are bounded by budgets, so that every run ends; that it does, whatever is scheduled, is checked as well (there is no
 * cycle, TestEveryRunEnds). It ends where nothing can happen any more, and there `Judge` says whether it was a good end:
 * "eventually" is checked as "in every end", without an assumption of fairness.
 *
 * Variants:
 *   PAUSE           the submission may stop between the fence and the last byte, for as long as it likes. No client can
 *                   prevent a second job then; it has to be noticed and deleted.
 *   DELETION        a user may delete the object at any moment.
 *   NOTIFICATIONS   the provider notifies: once, twice, or not at all.
 *
 * Mutations:
 *   NO_PRECONDITION the claim is written without a resourceVersion
 *   NO_FENCE        the last bytes go out whatever the time is
 *   NO_LOOK         an unknown submission is taken for one that did not arrive
 *   LOOK_EARLY      a list seen before SETTLED is believed to be complete
 *   RECORD_ONCE     a record that meets a conflict is dropped
 *   RECORD_BLIND    the record is written without a resourceVersion
 *   ACK_EARLY       2xx is answered before the transcript is durable
 *   STATUS_FIRST    the status says that the transcript is stored before it is durable
 *   NO_FINALIZER    the claim is written without the finalizer
 *   SURPLUS_FIRST   of several jobs that a search finds, the others are deleted before one is recorded
 *   FORGET_NOTES    a new claim does not carry on what the last one noted and gave up
 *   SWEEP_EARLY     what was given up is looked for once more while a later claim may still be submitted
 *   SEARCH_EARLY    with the object, what was given up is looked for while the latest claim's job may still appear
 *   RECORD_UNREAD   a record that meets a conflict is tried again without reading the object
 *   RELEASE_EARLY   the finalizer is removed without waiting for an uncertain submission
 *   RELEASE_NEVER   the finalizer of a finished object that is being deleted is not removed
 */

#ifndef CRASHES
#define CRASHES 2 /* how often a process dies, managers and receiver together */
#endif
#ifndef LOSSES
#define LOSSES 1 /* how many submissions lose their request or their answer */
#endif
#ifndef SLOW
#define SLOW 1 /* how often a claim expires while its manager is still about to send */
#endif
#ifndef STALE
#define STALE 1 /* how many passes of each manager begin with an old cache */
#endif
#define CLAIMS 5 /* how many claims there can be; more are an error of the model */
#define JOBS 3   /* how many jobs the provider can have; more are an error of the model */

/* The object, as the API server has it; a manager's cache has an older one. */
typedef Object {
	bool exists;
	bool finalizer;
	bool deleting;   /* metadata.deletionTimestamp */
	byte nonce;      /* the claim's; 0 is no claim */
	bool notCreated; /* the claim is settled: under it, nothing was created */
	bool givenUp;    /* an earlier claim was given up without an answer: Claim.GivenUp */
	byte surplus;    /* jobs that are to be deleted once another one is recorded, a bit for each: Claim.Surplus */
	byte record;     /* status.remoteJob.id; 0 is none */
	byte announced;  /* status.notification.jobID; 0 is none */
	bool stored;     /* status.transcripts */
	bool finished;   /* the condition Finished */
};

Object api;

/*
 * Whose copy of the object is the newest version. It stands for metadata.resourceVersion: a write with a precondition succeeds if the
 * writer's copy is fresh, and makes all others stale. 0 and 1 are the managers, 2 and 3 the receiver when they deliver, 4 the
 * receiver when the provider notifies.
 */
bool fresh[5];

/* What the provider has. Jobs are counted from 1. */
mtype = { ABSENT, RUNNING, DONE, DELETED };
mtype remote[JOBS + 1] = ABSENT;
bool  listed[JOBS + 1];
byte  accepted; /* how many jobs were accepted */

/* What is on disk, or in a ConfigMap. */
bool durable[JOBS + 1];

/* Time, for each claim. */
bool claimed[CLAIMS + 1];
bool over[CLAIMS + 1]; /* nobody is about to send under the claim any more */
bool EXPIRED[CLAIMS + 1];
bool SETTLED[CLAIMS + 1];
byte nonces;   /* how many claims there were */
byte onTheWay; /* how many submissions are between the fence and the last byte */
byte answered; /* how many managers have an answer, and have not recorded it yet */

/* Budgets, and facts that properties are about. */
byte crashes = CRASHES;
byte losses = LOSSES;
byte slow = SLOW;
#ifdef NOTIFICATIONS
byte untold;         /* the jobs of which the provider has still to tell that they are done, a bit for each */
#endif
bool troubled;       /* a submission lost its answer, or its manager */
bool acknowledged[JOBS + 1];
bool kept[JOBS + 1]; /* it was left at the provider on purpose: done, and not stored */
#if defined(PAUSE) && defined(DELETION)
bool late[JOBS + 1]; /* after a pause, it was not in the list before the object was deleted: an orphan, which nobody can prevent */
#endif

inline copy(to) {
	fresh[me] = true;
	to.exists = api.exists; to.finalizer = api.finalizer; to.deleting = api.deleting;
	to.nonce = api.nonce; to.notCreated = api.notCreated; to.givenUp = api.givenUp; to.surplus = api.surplus; to.record = api.record;
	to.announced = api.announced; to.stored = api.stored; to.finished = api.finished
}

/* Every write makes a new version. An object that is being deleted goes when its last finalizer does. */
inline written() {
	fresh[0] = false; fresh[1] = false; fresh[2] = false; fresh[3] = false; fresh[4] = false;
	if
	:: api.deleting && !api.finalizer -> api.exists = false
	:: else
	fi
}

/* A process may die here: what it holds in memory is gone, and it begins anew. */
#define MAY_DIE if :: atomic { crashes > 0 -> crashes--; goto lost } :: true fi
#define RECEIVER_MAY_DIE if :: atomic { crashes > 0 -> crashes--; died = true; break } :: true fi

/* How many jobs of the attempt live: two are what must not go unnoticed. */
#define LIVES(j) (remote[j] == RUNNING || remote[j] == DONE)
#define LIVING ((LIVES(1) -> 1 : 0) + (LIVES(2) -> 1 : 0) + (LIVES(3) -> 1 : 0))

#define BIT(j) (1 << (j))

/*
 * Jobs that the claim notes are deleted, all but the recorded one. That they are is noted afterwards. The controllers leave one that is done
 * noted until the recorded one's transcript is stored; here the recorded one's always is in the end.
 */
inline deleteNoted() {
	atomic {
		j = JOBS;
		do
		:: j == 0 -> break
		:: j > 0 ->
			if
			:: (c.surplus & BIT(j)) && LIVES(j) && j != c.record -> remote[j] = DELETED
			:: else
			fi;
			j--
		od
	}
}

/* All listed jobs of the attempt but the recorded one are deleted: @findOwned. */
inline deleteLateComers() {
	atomic {
		j = JOBS;
		do
		:: j == 0 -> break
		:: j > 0 ->
			if
			:: listed[j] && LIVES(j) && j != c.record -> remote[j] = DELETED
			:: else
			fi;
			j--
		od
	}
}

/* A remote job is deleted with its object: one that runs is cancelled, one that is done and not stored is kept. */
inline discard(k) {
	kept[k] = (remote[k] == DONE && !c.stored);
	remote[k] = (LIVES(k) && !kept[k] -> DELETED : remote[k])
}

/* The provider accepts a submission. */
inline accept() {
	accepted++;
	assert(accepted <= JOBS);
	remote[accepted] = RUNNING;
#if defined(PAUSE) && defined(DELETION)
	late[accepted] = EXPIRED[mine];
#endif
#ifndef PAUSE
	assert(LIVING <= 1) /* never two at a time */
#endif
}

/*
 * @webhookreceiver.notify: @webhookreceiver.lookup, @webhookreceiver.takeIn, @webhookreceiver.commit with @store.Commit and
 * @webhookreceiver.record, and the @webhookreceiver.answer. `ok` says whether the sender gets a 2xx, `died` that the receiver died.
 * The job is read live, and read again after a conflict.
 */
inline receive(job, reader) {
	ok = false; died = false;
	do
	:: atomic { !api.exists -> ok = true; break } /* nobody's any more: @webhookreceiver.errJobGone */
	:: atomic { api.exists && api.record != 0 && api.record != job -> ok = true; break } /* another job's: @webhookreceiver.judge */
	:: atomic { api.exists && (api.record == 0 || api.record == job) -> fresh[reader] = true };
#ifdef ACK_EARLY
		ok = true; acknowledged[job] = true;
		RECEIVER_MAY_DIE;
#endif
#ifndef STATUS_FIRST
		durable[job] = true; /* @store.Commit */
		RECEIVER_MAY_DIE;
#endif
		atomic {
			if
			:: api.exists && fresh[reader] -> api.announced = job; api.stored = true; written(); ok = true
			:: else /* a conflict: @webhookreceiver.record reads it again */
			fi
		};
		RECEIVER_MAY_DIE;
#ifdef STATUS_FIRST
		durable[job] = true;
#endif
		if
		:: ok -> break
		:: else
		fi
	od
}

/* @sweepOwed: there may be jobs besides the recorded one. */
#define OWED (api.givenUp || api.surplus != 0)

/* There is something to do for the object. */
#ifdef RELEASE_NEVER
#define OPEN (!api.finished || OWED)
#else
#define OPEN (!api.finished || api.deleting || OWED)
#endif

/* A manager. Each pass takes one object from its cache, and does one thing with it. */
proctype Manager(byte me) {
	Object c;     /* the object that the pass goes by */
	byte stale = STALE;
	byte mine;    /* the nonce that this pass has claimed with */
	byte id, j;
	byte extra;   /* the jobs besides the one that is adopted, a bit for each */
	bool ok, died, holds;

top:
	atomic { answered = answered - (holds -> 1 : 0); holds = false; mine = 0; id = 0; j = 0; ok = false; died = false; extra = 0 };
	/* @Reconcile: the cache may be behind. A pass begins when there is something to do. */
	if
	:: atomic { c.exists && !fresh[me] && stale > 0 && !c.finished -> stale-- }
	:: atomic { api.exists && OPEN -> copy(c) }
	:: atomic { !api.exists -> goto end }
	:: atomic { api.exists && !OPEN -> goto end_rest }
	fi;

	/* @pass, @advance */
	if
	:: c.deleting -> goto reconcileDeletion
	:: else
	fi;
	if
	:: c.finished -> goto reconcileFinished
	:: else
	fi;
	if
	:: c.record != 0 -> goto follow
	:: else
	fi;
	if
	:: c.announced != 0 -> id = c.announced; goto record /* @recordAnnounced */
	:: else
	fi;
	if
	:: c.nonce != 0 && !c.notCreated -> goto look
	:: else
	fi;

	/* @submit: @claimAttempt writes claim and finalizer in one PATCH. */
	atomic {
		if
#ifdef NO_PRECONDITION
		:: api.exists ->
#else
		:: api.exists && fresh[me] ->
#endif
			nonces++;
			assert(nonces <= CLAIMS);
			mine = nonces;
			claimed[mine] = true;
			api.nonce = mine; api.notCreated = false; /* GivenUp and Surplus are carried on */
#ifdef FORGET_NOTES
			api.givenUp = false; api.surplus = 0;
#endif
#ifndef NO_FINALIZER
			api.finalizer = true;
#endif
			written();
			copy(c)
		:: else -> goto top /* a conflict, before any money was spent */
		fi
	};
	MAY_DIE;

	/* @takeUp: after a conflict it goes on only if the claim is still the one just written. A second claim finds everything written. */
	do
	:: mine > 1 -> break
	:: atomic { api.exists && fresh[me] -> written(); copy(c); break }
	:: atomic { api.exists && !fresh[me] && api.nonce == mine && !api.deleting -> copy(c) }
	:: atomic { !api.exists || (!fresh[me] && (api.nonce != mine || api.deleting)) -> over[mine] = true; goto top }
	od;
	MAY_DIE;

	/* @send: the fence lets the last bytes go out only before the claim's notAfter. */
	atomic {
		if
#ifndef NO_FENCE
		:: EXPIRED[mine] -> goto settleClaim
		:: !EXPIRED[mine] -> onTheWay++
#else
		:: onTheWay++
#endif
		fi
#ifdef PAUSE
	};
	atomic {
#endif
		onTheWay--;
		over[mine] = true;
		if
		:: accept(); id = accepted; answered++; holds = true
		:: losses > 0 -> losses--; troubled = true; goto top /* the request is lost, which nobody knows */
		fi
	};
	MAY_DIE;
	if
	:: atomic { losses > 0 -> losses--; troubled = true; goto top } /* the answer is lost: @notSubmitted */
	:: true
	fi;
	goto record;

settleClaim: /* @settleClaim: nothing was created: the claim says so, unless somebody else has written */
	atomic {
		over[mine] = true;
		if
		:: api.exists && fresh[me] -> api.notCreated = true; written()
		:: else
		fi
	};
	goto top;

record: /* @record, @tryRecord: retried until it holds; after a conflict the object is judged anew (@relationTo) */
	do
#ifdef RECORD_BLIND
	:: atomic { api.exists -> api.record = id; written(); copy(c); break }
#else
	:: atomic { api.exists && fresh[me] && c.record == 0 && !c.finished -> api.record = id; written(); copy(c); break }
#endif
	:: atomic { !api.exists -> remote[id] = ((LIVES(id)) -> DELETED : remote[id]); break } /* @orphaned */
#ifdef RECORD_ONCE
	:: atomic { api.exists && !fresh[me] -> break }
#else
#ifdef RECORD_UNREAD
	:: atomic { api.exists && !fresh[me] -> skip }
#else
	:: atomic { api.exists && !fresh[me] -> copy(c) } /* @reload */
#endif
#endif
	:: atomic { api.exists && fresh[me] && c.record == id -> break } /* @relationTo says @recordThere */
	:: atomic { api.exists && fresh[me] && c.record != id && (c.record != 0 || c.finished) ->
			/* @relationTo says @recordSuperseded: @deleteSurplus */
			if
			:: LIVES(id) -> remote[id] = DELETED
			:: else
			fi;
			break
		}
	od;
	if
	:: extra != 0 && c.record == id -> MAY_DIE; goto noted
	:: else
	fi;
	goto top;

noted: /* @deleteNoted */
	deleteNoted();
	MAY_DIE;
	atomic {
		if
		:: api.exists && fresh[me] -> api.surplus = 0; written()
		:: else
		fi
	};
	goto top;

look: /* @look: from notAfter on, the list is searched; it is believed only if it was seen after SETTLED */
#ifdef NO_LOOK
	goto settle;
#endif
	if
	:: EXPIRED[c.nonce]
	:: atomic { !api.exists || !fresh[me] -> goto top } /* an event ends the wait */
	fi;
	assert(troubled || slow < SLOW || answered > 0 || api.record != 0 || api.deleting || !api.exists); /* without trouble, an answer is recorded by whom it was given to */
#ifdef LOOK_EARLY
	ok = true;
#else
	ok = SETTLED[c.nonce]; /* @settledAt is asked before the list is */
#endif
	atomic { /* @findClaimed: the oldest is kept; the controllers prefer one that is done, and of those the oldest */
		id = 0; extra = 0;
		j = JOBS;
		do
		:: j == 0 -> break
		:: j > 0 && listed[j] && LIVES(j) -> extra = extra | (id != 0 -> BIT(id) : 0); id = j; j--
		:: j > 0 && !(listed[j] && LIVES(j)) -> j--
		od
	};
	if
	:: id != 0 -> goto adopt
	:: id == 0 && ok -> goto settle
	:: id == 0 && !ok ->
		/* @unknownSubmission: looked for again later */
		if
		:: SETTLED[c.nonce] -> goto top
		:: atomic { !api.exists || !fresh[me] -> goto top }
		fi
	fi;

adopt: /* @adopt, @noteSurplus: what others there are is noted before one is recorded, so that they are not forgotten if this manager dies. */
	if
#ifdef SURPLUS_FIRST
	:: extra != 0 ->
		atomic {
			j = JOBS;
			do
			:: j == 0 -> break
			:: j > 0 ->
				if
				:: (extra & BIT(j)) && LIVES(j) -> remote[j] = DELETED
				:: else
				fi;
				j--
			od
		}
#else
	:: extra != 0 ->
		atomic {
			if
			:: api.exists && fresh[me] -> api.surplus = api.surplus | extra; written(); copy(c)
			:: else -> goto top
			fi
		}
#endif
	:: else
	fi;
	MAY_DIE;
	goto record;

settle: /* @settle, @giveUpClaim: submitted again, under a new claim */
	atomic {
		if
		:: api.exists && fresh[me] -> api.notCreated = true; api.givenUp = true; written()
		:: else
		fi
	};
	goto top;

follow: /* @follow, @observe, @collect: what is done and not stored is fetched, and delivered through the receiver's door */
	if
	:: c.stored -> goto complete
	:: !c.stored && c.surplus != 0 -> goto noted
	:: !c.stored && remote[c.record] == DONE ->
		assert(!acknowledged[c.record] || !fresh[me]); /* an acknowledged notification needs no repair */
		receive(c.record, me + 2);
		goto top
	:: atomic { !api.exists || !fresh[me] -> goto top }
	fi;

complete:
	atomic {
		if
		:: api.exists && fresh[me] -> api.finished = true; written()
		:: else
		fi
	};
	goto top;

reconcileFinished: /* @reconcileFinished, @sweep: what was given up may have arrived after all. Then AfterStored deletes what is stored. */
	if
#ifdef SWEEP_EARLY
	:: onTheWay == 0 && (accepted < 1 || listed[1]) && (accepted < 2 || listed[2]) && (accepted < 3 || listed[3])
#else
	:: (c.notCreated || SETTLED[c.nonce]) && onTheWay == 0 && (accepted < 1 || listed[1]) && (accepted < 2 || listed[2]) && (accepted < 3 || listed[3]) /* a pause has an end */
#endif
	:: atomic { !api.exists || !fresh[me] -> goto top }
	fi;
	deleteNoted();
	if
	:: c.givenUp -> deleteLateComers()
	:: else
	fi;
	MAY_DIE;
	atomic {
		if
		:: api.exists && fresh[me] -> api.givenUp = false; api.surplus = 0; written()
		:: else
		fi
	};
	goto top;

#define UNCERTAIN (c.record == 0 && c.announced == 0 && c.nonce != 0 && !c.notCreated)
reconcileDeletion: /* @reconcileDeletion, @cleanUp */
	if
	:: !c.finalizer -> goto top
	:: else
	fi;
	ok = false;
#ifndef RELEASE_EARLY
	if
	:: UNCERTAIN ->
		if
		:: EXPIRED[c.nonce]
		:: atomic { !api.exists || !fresh[me] -> goto top }
		fi;
		ok = SETTLED[c.nonce]
	:: else
	fi;
#endif
	atomic { /* @knownRemoteJobs: @discard */
		j = JOBS;
		do
		:: j == 0 -> break
		:: j > 0 ->
			if
			:: j == c.record || j == c.announced || ((c.surplus & BIT(j)) && j != c.record) -> discard(j)
			:: else
			fi;
			j--
		od
	};
#ifndef RELEASE_EARLY
	if
	:: UNCERTAIN -> /* @discardUncertain: the list is searched until nothing can appear in it any more */
		atomic {
			id = 0;
			j = JOBS;
			do
			:: j == 0 -> break
			:: j > 0 && listed[j] && LIVES(j) -> id = j; discard(j); j--
			:: j > 0 && !(listed[j] && LIVES(j)) -> j--
			od
		};
		if
		:: id != 0 || ok
		:: id == 0 && !ok ->
			if
			:: SETTLED[c.nonce] -> goto top
			:: atomic { !api.exists || !fresh[me] -> goto top }
			fi
		fi
	:: else
	fi;
#endif
	if
	:: c.givenUp -> /* @discardGivenUp: one search, when nothing can arrive under the latest claim any more */
#ifndef SEARCH_EARLY
		if
		:: c.notCreated || SETTLED[c.nonce]
		:: atomic { !api.exists || !fresh[me] -> goto top }
		fi;
#endif
		atomic {
			j = JOBS;
			do
			:: j == 0 -> break
			:: j > 0 && listed[j] && LIVES(j) && j != c.record -> discard(j); j--
			:: j > 0 && !(listed[j] && LIVES(j) && j != c.record) -> j--
			od
		}
	:: else
	fi;

release: /* @release */
	MAY_DIE;
	atomic {
		if
		:: api.exists && fresh[me] -> api.finalizer = false; written()
		:: else
		fi
	};
	goto top;

lost: /* the process died, and another one starts with an empty memory and a new cache */
	atomic { troubled = true; over[mine] = true; c.exists = false; goto top };

end_rest: /* finished: only a deletion is of interest now */
	if
	:: atomic { !api.exists -> goto end }
	:: atomic { api.exists && OPEN -> goto top }
	fi;
end:
	skip
}

inline done(k) {
	remote[k] = DONE;
#ifdef NOTIFICATIONS
	untold = untold | BIT(k)
#endif
}

inline list(k) {
	listed[k] = true;
#if defined(PAUSE) && defined(DELETION)
	late[k] = late[k] && (api.deleting || !api.exists)
#endif
}

/* The provider: it lists with a lag, and works. */
active proctype Provider() {
end:
	do
	:: atomic { accepted >= 1 && !listed[1] -> list(1) }
	:: atomic { accepted >= 2 && !listed[2] -> list(2) }
	:: atomic { accepted >= 3 && !listed[3] -> list(3) }
	:: atomic { remote[1] == RUNNING -> done(1) }
	:: atomic { remote[2] == RUNNING -> done(2) }
	:: atomic { remote[3] == RUNNING -> done(3) }
	od
}

#ifdef NOTIFICATIONS
/* The provider notifies, however late, and tries again where it gets no 2xx: the receiver died, or answered 503. */
active proctype Notifier() {
	byte j, tries;
	bool ok, died;
end:
	if
	:: atomic { (untold & BIT(1)) -> j = 1 }
	:: atomic { (untold & BIT(2)) -> j = 2 }
	:: atomic { (untold & BIT(3)) -> j = 3 }
	fi;
	atomic { untold = untold & (255 - BIT(j)); tries = 2 };
	do
	:: tries == 0 -> break
	:: tries > 0 -> break /* lost, or given up */
	:: tries > 0 ->
		tries--;
		receive(j, 4); /* the receiver may die; the sender tries again */
		if
		:: ok && api.exists && (api.record == 0 || api.record == j) -> acknowledged[j] = true; assert(durable[j])
		:: else
		fi
	od;
	atomic { j = 0; tries = 0; ok = false; died = false; goto end }
}
#endif

/* Time passes at any moment. What was accepted before EXPIRED is listed before SETTLED. */
proctype Clock(byte n) {
	byte until;
end:
	if
	:: atomic { over[n] -> EXPIRED[n] = true; until = accepted }
	:: atomic { claimed[n] && !over[n] && slow > 0 -> slow--; EXPIRED[n] = true; until = accepted }
	fi;
	atomic {
		(until < 1 || listed[1]) && (until < 2 || listed[2]) && (until < 3 || listed[3]) -> SETTLED[n] = true
	}
}

#ifdef DELETION
active proctype User() {
	if
	:: atomic { api.exists -> api.deleting = true; written() }
	:: api.exists
	fi
}
#endif

/* What lives when its object is gone was left there on purpose, or came when nobody looked any more. */
#if defined(PAUSE) && defined(DELETION)
#define WANTED(j) (!LIVES(j) || kept[j] || late[j])
#else
#define WANTED(j) (!LIVES(j) || kept[j])
#endif

/* Where nothing can happen any more, it must be a good end. */
proctype Judge() {
	timeout;
	assert(!api.exists || LIVING <= 1);                 /* what cannot be prevented was noticed and deleted */
	assert(!api.exists || api.finished);                /* no job is stuck */
	assert(!api.exists || !api.deleting);               /* nor is a finalizer */
#if defined(PAUSE) && defined(NOTIFICATIONS)
	/* The notification of a surplus job may have brought it: a whole transcript of the same media. */
	assert(!api.exists || (api.record != 0 && api.stored && (durable[1] || durable[2] || durable[3])));
#else
	assert(!api.exists || (api.record != 0 && api.stored && durable[api.record])); /* no transcript is lost */
#endif
	assert(api.exists || (WANTED(1) && WANTED(2) && WANTED(3))) /* nobody pays for what nobody wants */
}

init {
	byte n = 1;
	atomic {
		api.exists = true;
		run Manager(0);
		run Manager(1);
		do
		:: n > CLAIMS -> break
		:: n <= CLAIMS -> run Clock(n); n++
		od;
		run Judge()
	}
}
