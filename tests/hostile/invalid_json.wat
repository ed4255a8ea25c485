;; Answers with structured content that is no JSON.
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (i32.store (i32.const 2448) (i32.const 1))
    (i32.store (i32.const 2452) (i32.const 1104))
    (i32.store (i32.const 2456) (i32.const 4))
    (i32.const 2432))
