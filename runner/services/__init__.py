"""Use cases: one module per noun, called by API, pages, command line and Git sync alike.

`bundle.open_services(runtime)` makes them all; each is a class over a `Runtime`, reached as
``services.<noun>``. Every method that changes something takes ``by: Principal`` and leaves an audit
row (a creation is one itself: an execution says who made it).

    executions   create get search kill restart replay pause resume change_… set_labels delete
    flows        create update save_all get search delete validate revisions set_disabled
    triggers     search get set_disabled unlock; store_triggers for whoever stores a flow
    webhooks     call: a request that carries a trigger's key
    firing       create: the one place where a trigger or a caller makes an execution
    creation     many creations in one commit
    files        namespace files: list get open write move delete; stored: files of executions
    inputs       resolve; conditions: hold; expressions: evaluate
    kv  logs  metrics  sources  audit
    shapes       Kestra's JSON of executions, flows, …
"""
