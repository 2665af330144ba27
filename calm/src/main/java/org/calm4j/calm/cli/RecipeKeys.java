package org.calm4j.calm.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What keys of other programs' recipes mean here. A key that is a flag of ours, with underscores, is that flag; docs/from-trl.md describes
 * the differences.
 */
final class RecipeKeys {
    /** Their names of ours. */
    static final Map<String, String> RENAMED = map("""
            pref_beta = beta
            dpo_label_smoothing = label_smoothing
            cutoff_len = max_length
            lora_target = lora_targets
            adapter_name_or_path = adapter
            ref_model = reference_model
            ref_model_adapters = reference_adapter
            additional_target = modules_to_save
            disable_shuffling = no_shuffle
            pref_loss = loss_type
            """);

    /** Keys that make no difference here, and why. */
    static final Map<String, String> IGNORED = reasons("""
            the device decides the precision of products, see --precision: bf16 fp16 tf32 pure_bf16 fp16_full_eval bf16_full_eval torch_dtype dtype \
            infer_dtype
            there is one way to compute it, or the fastest is taken: flash_attn attn_implementation torch_compile use_liger_kernel \
            enable_liger_kernel use_unsloth gradient_checkpointing_kwargs disable_gradient_checkpointing use_reentrant_gc use_cache padding_free \
            group_by_length shift_attn use_logits_to_keep
            one process trains, or ranks of mpirun that make the same bytes: ddp_timeout ddp_backend ddp_find_unused_parameters \
            ddp_bucket_cap_mb deepspeed fsdp fsdp_config local_rank accelerator_config average_tokens_across_devices
            data are read as they are needed: preprocessing_num_workers dataloader_num_workers dataloader_pin_memory \
            dataloader_persistent_workers dataloader_prefetch_factor dataset_num_proc overwrite_cache preprocessing_batch_size tokenized_path \
            remove_unused_columns label_names dataset_kwargs buffer_size
            models and data are folders and files: trust_remote_code cache_dir use_fast_tokenizer model_revision dataset_config \
            dataset_train_split dataset_test_split low_cpu_mem_usage
            nothing is uploaded: push_to_hub hub_model_id hub_token hub_strategy hub_private_repo hf_hub_token
            metrics.jsonl, --watch and --report-to tensorboard show a run: plot_loss logging_dir logging_strategy logging_first_step run_name \
            log_level disable_tqdm include_num_input_tokens_seen include_tokens_per_second log_completions
            what is trained and written is said by the command: do_train do_eval do_predict overwrite_output_dir save_safetensors \
            save_only_model predict_with_generate ddp_broadcast_buffers per_device_eval_batch_size eval_accumulation_steps
            the model's own chat template and end of sequence are used: template default_system split_special_tokens pad_token chat_template_path \
            add_eos eos_token
            the reference's log-probabilities are always found before the first step, without dropout: precompute_ref_log_probs \
            precompute_ref_batch_size disable_dropout
            """);

    /** Keys that mean something that is not here, with the values under which they mean nothing. */
    static final Map<String, Set<String>> HARMLESS = sets("""
            packing: false
            neat_packing: false
            train_on_prompt: false
            mask_history: false
            completion_only_loss: true
            neftune_noise_alpha: 0
            quantization_bit: 0
            load_in_4bit: false
            load_in_8bit: false
            optim: adamw_torch adamw_torch_fused adamw_hf adamw muon schedule_free_adamw
            val_size: 0 0.0
            use_badam: false
            use_galore: false
            use_apollo: false
            use_muon: false
            freeze_vision_tower: true
            pissa_iter: -1 16
            data_seed: 42
            eval_strategy: no steps
            evaluation_strategy: no steps
            save_strategy: no steps
            max_samples:
            generate_during_eval: false
            pref_bco_weight: 0 0.0
            """);

    /** What a recipe's program takes where it says nothing, if it decides what is learnt. */
    static final Map<String, String> LLAMA_FACTORY = map("""
            num_train_epochs = 3.0
            cutoff_len = 2048
            """);

    static final Map<String, String> TRL_DPO = map("""
            num_train_epochs = 3.0
            learning_rate = 1.0e-6
            max_length = 1024
            """);

    static final Map<String, String> TRL_SFT = map("""
            num_train_epochs = 3.0
            learning_rate = 2.0e-5
            max_length = 1024
            """);

    static final Map<String, String> LLAMA_FACTORY_LORA = map("""
            lora_rank = 8
            """);

    static final Map<String, String> TRL_LORA = map("""
            lora_r = 16
            lora_alpha = 32
            lora_dropout = 0.05
            """);

    private RecipeKeys() {}

    /** Every key but those that are flags. */
    static Set<String> all() {
        Set<String> all = new TreeSet<>(RENAMED.keySet());
        all.addAll(IGNORED.keySet());
        all.addAll(HARMLESS.keySet());
        all.addAll(Recipe.OWN_MEANING);
        return all;
    }

    private static Map<String, String> map(String table) {
        Map<String, String> map = new LinkedHashMap<>();
        table.lines().map(line -> line.split(" = ")).forEach(pair -> map.put(pair[0], pair[1]));
        return map;
    }

    private static Map<String, String> reasons(String table) {
        Map<String, String> reasons = new LinkedHashMap<>();
        table.lines().forEach(line -> {
            int colon = line.indexOf(':');
            for (String key : line.substring(colon + 1).strip().split(" ")) {
                reasons.put(key, line.substring(0, colon));
            }
        });
        return reasons;
    }

    private static Map<String, Set<String>> sets(String table) {
        Map<String, Set<String>> sets = new LinkedHashMap<>();
        table.lines().forEach(line -> {
            String[] parts = line.split(": ?", 2);
            sets.put(parts[0], Set.of(parts[1].isBlank() ? new String[0] : parts[1].split(" ")));
        });
        return sets;
    }
}
