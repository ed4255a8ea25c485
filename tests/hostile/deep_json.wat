;; Answers with structured content that is nested 100,000 deep.
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (drop (memory.grow (i32.const 4)))
    (memory.fill (i32.const 131072) (i32.const 0x5b) (i32.const 100000))
    (memory.fill (i32.const 231072) (i32.const 0x5d) (i32.const 100000))
    (i32.store (i32.const 2448) (i32.const 1))
    (i32.store (i32.const 2452) (i32.const 131072))
    (i32.store (i32.const 2456) (i32.const 200000))
    (i32.const 2432))
