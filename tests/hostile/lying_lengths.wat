;; Answers with a list of four billion texts.
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (i32.store (i32.const 2444) (i32.const 0xffffffff))
    (i32.const 2432))
