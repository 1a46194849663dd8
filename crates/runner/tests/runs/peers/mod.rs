//! What went wrong in other products, each as a short scenario here. A test is named by the peer and the number of its issue.
//!
//! | peer | what happened there | held by |
//! |---|---|---|
//! | n8n #24050, #24274 | a job was queued before its row was committed: "failed to find data" | `storage::n8n_24050_…` |
//! | n8n #22225, #13960, #14233, #37792 | runs stay queued beside an idle worker | `running::n8n_22225_…` |
//! | n8n #37926, #1111 | the SQLite file never shrinks | `storage::n8n_37926_…` |
//! | n8n #21042 | a full disk refuses the deletion that would make room | `storage::n8n_21042_…` |
//! | n8n #5095 | pruning takes all memory | `storage::n8n_5095_…` |
//! | n8n #1578, #4283, #33353 | the list of runs is slow beyond 100,000 | `storage::n8n_1578_…` |
//! | n8n #12949, #17709, #72 | credentials cannot be decrypted after a restart, and nobody says why | `storage::n8n_12949_…` |
//! | n8n #365 | a repetition uses the old credential and another workflow | `running::n8n_365_…` |
//! | n8n #4867, #8927 | everything that a run has seen is kept in memory until it ends | `storage::n8n_4867_…` |
//! | n8n #21114 | one bad workflow fills the database | `storage::n8n_21114_…` |
//! | n8n #13702 | two processes work on one database | `storage::n8n_13702_…` |
//! | n8n #31100, #13974 | what was to come later never comes after an upgrade or a restart | `running::n8n_31100_…` |
//! | Windmill #10168, #10174 | a schedule is dead for ever after the database was away | `running::windmill_10168_…` |
//! | Windmill #6536 | a timeout of the pool spoils the state of a flow | `running::windmill_6536_…` |
//! | Windmill #9319, #6262 | a queue 986 deep, of which some never ran | `running::windmill_9319_…` |
//! | Windmill #2639 | approvals are bypassed in parallel branches | `running::windmill_2639_…` |
//! | Windmill #10552 | an approval's timeout reaches another step | `running::windmill_10552_…` |
//! | Windmill 1.630.1 | whoever asks can approve it themselves | `running::windmill_1_630_1_…` |
//! | Windmill #7228, #6855 | results are kept many times over | `storage::windmill_7228_…` |
//! | Windmill #2261 | logs of runs are never pruned | `storage::windmill_2261_…` |
//! | StackStorm #4705, #4704 | a workflow is stuck when a write fails | `running::stackstorm_4705_…` |
//! | StackStorm #6230 | what is due is delayed for days | `running::stackstorm_6230_…` |
//! | StackStorm #3290 | the first run of a fresh installation is stuck | `running::stackstorm_3290_…` |
//! | Orquesta #142 | the cost of a step grows with the number of steps | `storage::orquesta_142_…` |
//! | Kestra #10358 | one corrupt row blocks everything | `storage::kestra_10358_…` |
//! | Kestra #5450 | the table of the queue grows to 664 GB | `storage::kestra_5450_…` |
//! | Kestra #17267, #7986 | purging is one transaction that locks everybody out | `storage::kestra_17267_…` |
//! | Tracecat #3411 | a retry goes on until the history is full | `running::tracecat_3411_…` |
//! | Tracecat #553 | steps have no timeout | `running::tracecat_553_…` |
//! | microsoft-365-docs #5903 | a device is isolated twice, and orders change places | `remote::microsoft_365_docs_5903_…` |
//! | graph-docs #19954 | a hunting query ends in a 504 without a message | `remote::graph_docs_19954_…` |
//! | windows-itpro-docs #10564 | the token is for another API | `remote::windows_itpro_docs_10564_…` |
//! | OpenCTI #3652 | a field that is missing kills the connector | `remote::opencti_3652_…` |
//! | OpenCTI #3325, Wazuh #29975 | a token ends in the middle of the work | `remote::opencti_3325_…` |
//! | Wazuh #34652 | a 429 costs what was to be done | `remote::wazuh_34652_…` |
//! | Splunk 365D, no number | a 429 without `Retry-After` is a fault | `remote::splunk_365d_…` |
//! | Splunk 365D 1.4.1 | keys with a period, as `@odata.type`, cannot be read | `remote::splunk_1_4_1_…` |
//! | Elastic #15749 | an empty answer with status 200 is taken for an object | `remote::elastic_15749_…` |
//! | Wazuh #31670, Rapid7 | a missing role is told as a wrong sign-in | `remote::wazuh_31670_…` |
//! | XSOAR #26207 | the place in the stream is kept before its events are | `storage::xsoar_26207_…` |
//!
//! What peers lost between pages, at equal times and around cursors is held by the tests of the stream of changes
//! (`cli/tests/watch.rs`), of lists under faults (`cli/tests/faults.rs`) and of hunting (`cli/tests/hunt.rs`).

mod remote;
mod running;
mod storage;
