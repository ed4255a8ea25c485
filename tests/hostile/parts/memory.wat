  ;; Two pages: texts and answers in the first, what the host hands over from the second on.
  (memory (export "memory") 2)
  (data (i32.const 1024) "attack")
  (data (i32.const 1040) "Attacks.")
  (data (i32.const 1056) "{\"type\":\"object\"}")
  (data (i32.const 1088) "{}")
  (data (i32.const 1104) "good")
  ;; The tool: name, no title, description, input schema, no output schema, no annotations, requires nothing, no task, extra.
  (data (i32.const 2048) "\00\04\00\00" "\06\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\10\04\00\00" "\08\00\00\00" "\20\04\00\00" "\11\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\40\04\00\00" "\02\00\00\00")
  ;; What describe answers: ok, no instructions, one tool, extra.
  (data (i32.const 2304) "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\08\00\00" "\01\00\00\00" "\40\04\00\00" "\02\00\00\00")
  ;; What call answers: ok, complete, one text, nothing structured, no error, no _meta, extra.
  (data (i32.const 2368) "\00\00\00\00" "\50\04\00\00" "\04\00\00\00")
  (data (i32.const 2432) "\00\00\00\00" "\00\00\00\00" "\40\09\00\00" "\01\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\40\04\00\00" "\02\00\00\00")
