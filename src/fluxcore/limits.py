"""Every bound of every queue, buffer and retry, in one place.

Units stand in the names. Nothing in FluxCore grows without one of these bounds or a budget that the user sets.
"""

from __future__ import annotations

from typing import Final

BATCH_ROWS: Final = 131_072
"""Rows of a batch under heavy load; sources cut larger reads into slices of this size."""

TEXT_BLOCK_BYTES: Final = 8 * 1024 * 1024
"""Bytes that the text readers cut off a file at once."""

TEXT_RECORD_BYTES_MAX: Final = 64 * 1024 * 1024
"""The longest single record of a text file; a longer one is a data error, not an endless buffer."""

OPEN_FILES_MAX: Final = 400
"""Files of partitions that a sink has open at once, or half of what the system allows; the longest unused one is finished."""

ROWS_GATHERED_BYTES_MAX: Final = 256 * 1024 * 1024
"""Bytes of rows that wait in a sink of many partitions to be written together."""

ROWS_WRITTEN_BYTES_MIN: Final = 1024 * 1024
"""Bytes of rows of one partition that are worth writing while others wait."""

CHANNEL_ROWS_MAX: Final = 1_000_000
"""Rows that wait in one channel before its writer is held back."""

CHANNEL_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes that wait in one channel before its writer is held back."""

BLOCKS_IN_FLIGHT_PER_WORKER: Final = 2
"""Blocks of one split that may be decoded ahead of the block that is next in order, per source worker."""

EXPIRY_SLOTS_MIN: Final = 1024
"""Slots of a table with a lifetime that each batch looks at, besides twice as many as it has rows, for what is over."""

EXPIRY_TICK_SLOTS: Final = 1_048_576
"""Slots of a table with a lifetime that are looked at when the clock says so while no rows come."""

EXPIRY_TICK_MS_MIN: Final = 1_000
"""The shortest time between two such looks."""

SWITCH_INTERVAL_S: Final = 0.0005
"""Interpreter switch interval while a job runs; the default of 5 ms costs 2 ms at every hand-over."""

IDLE_POLL_S: Final = 0.005
"""Pause of a source worker that found no split with anything to read."""

CLOCK_TICK_MS: Final = 10
"""How often the time of the clock is passed on as a watermark while no rows come."""

JOIN_TIMEOUT_S: Final = 10.0
"""Time that a cancelled job's threads are given to end."""

STRING_COLUMN_BYTES_MAX: Final = 2**31 - 1
"""Bytes of text in one column of one batch (Arrow's 32-bit offsets)."""

SMALL_JOB_ROWS_MAX: Final = 10_000
"""Rows in all tables of a job up to which one worker thread per stage is enough."""

MADE_TEXT_CHARACTERS_MAX: Final = 64 * 1024 * 1024
"""Characters of one text that a function makes, such as REPEAT."""

MADE_BATCH_CHARACTERS_MAX: Final = 2**29 - 1
"""Characters of all texts that a function makes for one batch: four bytes each, they are one Arrow column."""

LIVE_ROWS_MAX: Final = 10_000
"""Rows of a result that the shell keeps to show them as they change."""

PAIRS_MAX: Final = 262_144
"""Candidate pairs of a join that exist at once, so that a cross product never takes more memory than its result."""

MEMORY_SHARE_FREE: Final = 0.9
"""Share of the memory that is free when a job starts which its process may take, where no budget is set."""

MEMORY_SHARE_TIGHT: Final = 0.85
"""Share of the memory budget from which on sources read one block after the other."""

BATCH_DATABASE_SHARE: Final = 0.6
"""Share of the memory budget that DuckDB may take in batch mode; beyond it rows go to the folder for temporary files."""

BATCH_DATABASE_BYTES_MIN: Final = 64_000_000
"""The least memory that DuckDB is given in batch mode."""

MEMORY_LOOK_S: Final = 0.01
"""Least time between two looks at the memory that the process takes."""

FLINK_REQUEST_TIMEOUT_S: Final = 60.0
"""Time that a server of Flink is given to answer one request; planning a large query takes the longest."""

FLINK_RETRIES: Final = 3
"""How often a connection to a server of Flink that fails is tried again."""

FLINK_POLL_MIN_S: Final = 0.01
"""The first pause before Flink is asked again for what is not ready."""

FLINK_POLL_MAX_S: Final = 0.5
"""The longest such pause."""

FLINK_HEARTBEAT_S: Final = 60.0
"""How often a session of the SQL gateway that waits for a job is kept alive."""

FLINK_RESCALE_S: Final = 60.0
"""Time that a job on a Flink cluster has to run with another parallelism, before its user is told that it doesn't."""

FLINK_FUNCTIONS_KEPT_S: Final = 30 * 86_400.0
"""Time for which the files of functions that were sent to a Flink cluster are kept after their last use."""

DOWNLOAD_ATTEMPTS: Final = 5
"""How often a download is begun or gone on with before it fails."""

DOWNLOAD_PAUSE_S: Final = 0.5
"""The first pause between two such attempts; each further one is twice as long."""

DOWNLOAD_CONNECT_S: Final = 15.0
"""Time that a server of files has to take a connection."""

DOWNLOAD_READ_S: Final = 60.0
"""Time that a server of files may be silent."""

INSTALL_S: Final = 1_800.0
"""Time that an installation of Flink may take, and that a second one waits for the first."""

FLINK_START_S: Final = 180.0
"""Time that the processes of a Flink cluster have to become ready, each time one is started."""

FLINK_START_ATTEMPTS: Final = 3
"""How often a cluster is started with new ports, when another program took one of them in between."""

FLINK_STOP_S: Final = 15.0
"""Time that the processes of a Flink cluster have to end by themselves before they are killed."""

FLINK_ANSWER_S: Final = 5.0
"""Time that a Flink cluster has to say how it does."""

FLINK_READY_ANSWER_S: Final = 1.0
"""Time that a Flink cluster that starts has to answer, before its processes are looked at and it is asked again."""

FLINK_POLL_S: Final = 0.1
"""Pause between two looks at a Flink cluster that starts or stops."""

FLINK_LOG_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of one log file of a Flink process; three older ones are kept."""

FLINK_LOG_READ_BYTES: Final = 1024 * 1024
"""Bytes at the end of a log in which the cause of an end is looked for."""

FLINK_HEAP_BYTES_MAX: Final = 30 * 1024**3
"""The largest heap of a Flink process; beyond it the JVM's pointers take twice the room."""

JAVA_ANSWER_S: Final = 30.0
"""Time that a ``java`` has to tell its version."""

BUS_LAG_EVENTS_MAX: Final = 65_536
"""Events that a group may be behind in memory before publishers wait for it."""

BUS_KEPT_EVENTS: Final = 1_000
"""Events of a topic in memory that stay for replay when all groups have passed them."""

BUS_DEAD_LETTERS_KEPT: Final = 100_000
"""Dead letters in memory that stay until someone gives them back."""

BUS_YIELD_EVENTS: Final = 256
"""Events that a group may be behind before a publisher gives the event loop to the handlers."""

BUS_FETCH_EVENTS: Final = 256
"""Events that a group takes from its topic at once."""

BUS_WINDOW_EVENTS: Final = 1024
"""Events among which those of a higher priority overtake others."""

BUS_OPEN_EVENTS_MAX: Final = 10_000
"""Events of a group that were handed out and not acknowledged yet, those that wait for another try included."""

BUS_DELAYED_EVENTS_MAX: Final = 100_000
"""Events of a group that wait for their time."""

BUS_BATCH_EVENTS: Final = 256
"""Events that a handler of lists gets at once, unless it says otherwise."""

BUS_PART_ROWS: Final = 256
"""Rows of a batch that become single events at once, for handlers of these."""

BUS_HUNG_THREADS_MAX: Final = 8
"""Threads of one handler that may hang before it gets no more events."""

BUS_WARNING_PAUSE_S: Final = 0.1
"""Time between two warnings that a handler failed."""

BUS_LATE_S: Final = 10.0
"""Time that a handler may have for an event before it is named in a warning."""

BUS_LATE_LOOK_S: Final = 1.0
"""Time between two looks at what handlers have in hand."""

BUS_HANDLER_HOLD_S: Final = 1.0
"""Time that a handler which publishes is held back by a group that is far behind; that group may be waiting for it."""

BUS_SLICE_EVENTS: Final = 1024
"""Events that one worker handles before other work of the event loop has its turn."""

BUS_SUBJECTS_MAX: Final = 100_000
"""Subjects whose topic, or whose choice by a group, is remembered."""

BUS_DEDUP_IDS_MAX: Final = 1_000_000
"""Ids of events that a topic remembers to find duplicates."""

BUS_SLOW_S: Final = 0.2
"""Time that a handler may keep the event loop before it is named in a warning."""

BUS_CLOSE_S: Final = 10.0
"""Time that handlers are given to end when the bus closes."""

BUS_SEGMENT_BYTES: Final = 32 * 1024 * 1024
"""Bytes of one file of a topic's log, given to it when it is made; a bus may have many topics."""

BUS_PENDING_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a topic's events that wait for room in its log's queue, or for the log to be opened, before publishing is refused."""

BUS_READ_BYTES: Final = 4 * 1024 * 1024
"""Bytes of a log that are read at once for a group."""

BUS_FEED_BYTES: Final = 16 * 1024 * 1024
"""Bytes of a topic that are kept for its groups, besides what none of them has had yet."""

BUS_FEED_PIECES: Final = 16
"""Pieces in which they are kept."""

BUS_REFUSED_PAUSE_S: Final = 0.25
"""How long an event whose dead letter can't be stored waits at least before it comes again; also between two warnings of that."""

BUS_HANDS_MAX: Final = 1023
"""Workers of a group in a topic of whose events it is noted that they are in hand."""

BUS_REQUEST_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of a request to another process, or of its answer."""

BUS_REQUESTS_MAX: Final = 1024
"""Requests of one process that another one answers at a time."""

BUS_REQUEST_CONNECT_S: Final = 1.0
"""How long a process that is asked may take to say that it is there."""

BUS_SHARED_HOLD_S: Final = 0.25
"""How long a process has a log open that several write to, such as that of dead letters, while others may wait."""

BUS_SHARED_IDLE_S: Final = 0.02
"""How long it keeps such a log when nothing more comes."""

BUS_SHARED_PAUSE_S: Final = 0.06
"""How long it leaves such a log to others before it asks again; who found it taken asks again after half of that."""

BUS_SHARED_WARN_S: Final = 10.0
"""After how long a warning says that another process doesn't give such a log back."""

BUS_FOLLOW_S: Final = 0.004
"""How often a process looks whether another one has written to a topic that it follows."""

BUS_DISCOVER_S: Final = 0.25
"""How often a process looks for topics that others have made."""

BUS_SAVE_S: Final = 0.2
"""How often the progress of groups is saved at most."""

BUS_SAVE_SHARE: Final = 0.02
"""Share of the event loop's time that may go into noting the progress of groups; with very much in flight it is saved less often."""

LOG_SEGMENT_BYTES: Final = 128 * 1024 * 1024
"""Bytes of one file of the bus's log, where the log's options say nothing."""

LOG_SEGMENT_BYTES_MIN: Final = 16 * 1024
"""The smallest segment that may be asked for."""

LOG_FRAME_BYTES: Final = 1024 * 1024
"""Bytes from which on waiting events go into a further frame."""

LOG_FRAME_ROWS_MAX: Final = 1_048_576
"""Events of one frame."""

LOG_FRAME_BYTES_MAX: Final = 1024 * 1024 * 1024
"""Bytes of one frame; a single event that needs more is refused."""

LOG_GROUP_BYTES: Final = 16 * 1024 * 1024
"""Bytes of waiting events that go into one write and one sync."""

LOG_PENDING_BYTES: Final = 64 * 1024 * 1024
"""Bytes of events that wait for the log's thread before publishers are held back."""

LOG_IDLE_SYNC_US: Final = 200_000
"""Quiet time after which what was written without a sync is synced, and the durable mark carried forward."""

LOG_INDEX_BYTES: Final = 64 * 1024
"""Bytes of a segment between two entries of its index."""

LOG_SCAN_BYTES: Final = 1024 * 1024
"""Bytes read at once when the next good frame is looked for."""

LOG_VERSION_KEYS_MAX: Final = 1_000_000
"""Keys whose last offsets are kept in memory; those of others are found through the frames' filters."""

LOG_DEDUPLICATION_ROWS: Final = 100_000
"""Events back to which a message id is known, where ids are checked and the options say nothing."""

LOG_ENCODE_ROWS: Final = 8_192
"""Single events that are turned into columns at once."""

JIT_AFTER_ROWS: Final = 20_000
"""Rows that a plain numeric function in Python computes before it is worth compiling."""

JIT_COMPILE_S: Final = 120.0
"""Time that compiling a function may take, in a process of its own."""

JIT_MODULES_MAX: Final = 200
"""Compiled functions that are kept on the disk; the least recently used ones go first."""
