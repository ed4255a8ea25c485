;; Answers with a text that is no UTF-8.
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (i32.store (i32.const 1104) (i32.const 0xfffefdfc))
    (i32.const 2432))
