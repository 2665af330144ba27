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
            kto_chosen_weight = desirable_weight
            kto_rejected_weight = undesirable_weight
            cutoff_len = max_length
            max_seq_length = max_length
            lora_target = lora_targets
            target_modules = lora_targets
            adapter_name_or_path = adapter
            ref_model = reference_model
            ref_model_adapters = reference_adapter
            additional_target = modules_to_save
            disable_shuffling = no_shuffle
            dataset_streaming = streaming
            early_stopping_steps = early_stopping_patience
            pref_loss = loss_type
            """);

    /** Keys that make no difference here, and why; a star stands for any end. */
    static final Map<String, String> IGNORED = reasons("""
            the device decides the precision of products, see --precision: bf16 fp16 tf32 pure_bf16 fp16_full_eval bf16_full_eval torch_dtype dtype \
            infer_dtype fp16_opt_level half_precision_backend bnb_4bit_* double_quantization quantization_method quantization_type \
            use_bnb_nested_quant upcast_*
            there is one way to compute it, or the fastest is taken: flash_attn attn_implementation torch_compile* use_liger_kernel liger_kernel_config \
            enable_liger_kernel use_unsloth* gradient_checkpointing_kwargs disable_gradient_checkpointing use_reentrant_gc use_cache use_kv_cache \
            padding_free pad_to_multiple_of shift_attn use_logits_to_keep activation_offloading auto_find_batch_size torch_empty_cache_steps \
            low_cpu_mem_usage full_determinism
            one process trains, or ranks of mpirun that make the same bytes: ddp_* deepspeed fsdp fsdp_* local_rank accelerator_config \
            average_tokens_across_devices parallelism_config ray_* master_addr master_port use_cpu no_cuda
            data are read as they are needed: preprocessing_num_workers dataloader_num_workers dataloader_pin_memory \
            dataloader_persistent_workers dataloader_prefetch_factor dataset_num_proc overwrite_cache preprocessing_batch_size tokenized_path \
            remove_unused_columns label_names dataset_kwargs buffer_size data_shared_file_system media_dir ignore_data_skip
            models and data are folders and files: trust_remote_code cache_dir use_fast_tokenizer model_revision dataset_config offload_folder
            nothing is uploaded: push_to_hub* hub_* hf_hub_token ms_hub_token om_hub_token
            metrics.jsonl, --watch and --report-to tensorboard show a run: plot_loss logging_dir logging_strategy logging_first_step \
            logging_nan_inf_filter run_name log_level* disable_tqdm include_num_input_tokens_seen include_tokens_per_second \
            include_effective_tokens_per_second log_completions use_swanlab swanlab_* trackio_space_id project print_param_status compute_accuracy
            what is trained and written is said by the command: do_train do_eval do_predict overwrite_output_dir save_safetensors \
            save_only_model save_on_each_node predict_with_generate per_device_eval_batch_size eval_accumulation_steps batch_eval_metrics \
            eval_do_concat_batches prediction_loss_only include_for_metrics env
            the model's own chat template is used: template tool_format
            the reference is run without dropout, by the largest passes that fit: precompute_ref_batch_size
            the order of the lines is another one anyway, by the seed: data_seed shuffle_dataset
            PiSSA is computed to the end, and saved for the model as it is: pissa_iter pissa_convert
            it belongs to a switch that is off: galore_* apollo_* badam_* ppo_* reward_model* freeze_trainable_* freeze_extra_modules asft_alpha \
            eaft_alpha router_aux_loss_coef moe_aux_loss_coef lora_task_type loraplus_lr_embedding eval_num_beams packing_strategy eval_packing \
            interleave_probs
            """);

    /** Keys that mean something that is not here, with the values under which they mean nothing. */
    static final Map<String, Set<String>> HARMLESS = sets("""
            packing: false
            neat_packing: false
            train_on_prompt: false
            mask_history: false
            completion_only_loss: true
            dataset_text_field: text
            neftune_noise_alpha: 0 0.0
            label_smoothing_factor: 0 0.0
            quantization_bit: 0
            load_in_4bit: false
            load_in_8bit: false
            use_badam: false
            use_galore: false
            use_apollo: false
            use_muon: false
            use_adam_mini: false
            use_dft_loss: false
            use_asft_loss: false
            use_eaft_loss: false
            use_llama_pro: false
            use_mca: false
            create_new_adapter: false
            resize_vocab: false
            split_special_tokens: false
            enable_thinking: true
            preserve_thinking: false
            freeze_vision_tower: true
            freeze_multi_modal_projector: true
            freeze_language_model: false
            group_by_length: false
            train_sampling_strategy: random
            dataloader_drop_last: false
            mix_strategy: concat
            generate_during_eval: false
            eval_on_each_dataset: false
            pref_bco_weight: 0 0.0
            ref_model_quantization_bit:
            lora_target_parameters:
            loss_type: nll chunked_nll
            rope_scaling:
            mixture_of_depths:
            default_system:
            add_eos_token: true
            optim_args:
            """);

    /** Why a key is not one of the harmless values, and what to do. */
    static final Map<String, String> REMEDIES = map("""
            packing = a batch counts its lines here, not packs of them; nothing is padded, so that it saves nothing either
            neat_packing = a batch counts its lines here, not packs of them; nothing is padded, so that it saves nothing either
            mix_strategy = lines are shuffled over all data sets; for other proportions repeat a data set's name
            load_in_4bit = weights are F32
            load_in_8bit = weights are F32
            quantization_bit = weights are F32
            default_system = write it as system into the lines
            """);

    /** AdamW under the names of {@code optim}, and the memory of its moments. */
    static final Map<String, String> OPTIMIZERS = map("""
            adamw_torch = f32
            adamw_torch_fused = f32
            adamw_hf = f32
            adamw_apex_fused = f32
            adamw_torch_xla = f32
            adamw_torch_npu_fused = f32
            paged_adamw = f32
            paged_adamw_32bit = f32
            adamw_bnb_8bit = 8bit
            adamw_8bit = 8bit
            paged_adamw_8bit = 8bit
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

    /** What an adapter alone has; {@code lora_rank} says that there is one. */
    static final Set<String> OF_ADAPTERS = Set.of(
            "lora_r",
            "lora_rank",
            "lora_alpha",
            "lora_dropout",
            "lora_target",
            "lora_target_modules",
            "lora_target_parameters",
            "lora_modules_to_save",
            "additional_target",
            "use_rslora",
            "use_dora",
            "pissa_init",
            "loraplus_lr_ratio");

    /** What LLaMA-Factory looks at in its stages dpo and kto alone, and in one of them. */
    static final Set<String> OF_PREFERENCES = Set.of(
            "pref_beta",
            "pref_loss",
            "pref_ftx",
            "pref_bco_weight",
            "dpo_label_smoothing",
            "kto_chosen_weight",
            "kto_rejected_weight",
            "simpo_gamma",
            "ld_alpha",
            "ref_model",
            "ref_model_adapters");

    private RecipeKeys() {}

    /** Why a key makes no difference; null if it makes one. */
    static String ignored(String key) {
        String exact = IGNORED.get(key);
        return exact != null
                ? exact
                : IGNORED.entrySet().stream()
                        .filter(each -> each.getKey().endsWith("*")
                                && key.startsWith(
                                        each.getKey().substring(0, each.getKey().length() - 1)))
                        .map(Map.Entry::getValue)
                        .findFirst()
                        .orElse(null);
    }

    /** Whether it is a key, other than a flag of ours. */
    static boolean isKnown(String key) {
        return ignored(key) != null || all().contains(key);
    }

    /** Every key but those that are flags, and families of them. */
    static Set<String> all() {
        Set<String> all = new TreeSet<>(RENAMED.keySet());
        IGNORED.keySet().stream().filter(key -> !key.endsWith("*")).forEach(all::add);
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
