;; Names its tool with a text that is turned around on the screen.
  (data (i32.const 8192) "\e2\80\aeattack")
  (func (export "airlock:guest/tools@0.1.0#describe")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store (i32.const 2048) (i32.const 8192))
    (i32.store (i32.const 2052) (i32.const 9))
    (i32.const 2304))
