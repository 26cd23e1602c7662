"""Use cases: one module per noun, called by API, pages, command line and Git sync alike.

Each service is a class made in `runner.wiring` from a `Runtime` (store, storage, queue, secrets, clock,
registry, settings) and is reached as ``runtime.services.<noun>``. Every method that changes something
takes ``by: Principal`` and leaves an audit row.

    executions   create get search kill restart replay pause resume change_state labels files follow delete
    flows        save get list search delete validate revisions enable disable graph
    triggers     search get toggle unlock  webhook(namespace, flow_id, key, request)
    firing       fire(flow, trigger, variables, key, …): the one place where a trigger makes an execution
    files        namespace files: list read write delete move
    kv  logs  metrics  sources  inputs (resolve, validate)  shapes (API JSON of executions, flows, …)
"""
