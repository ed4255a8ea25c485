;; Answers with a text of 1 GiB, which its memory does not have.
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (i32.store (i32.const 2376) (i32.const 0x40000000))
    (i32.const 2432))
