"""The messages of Caffe 1.0's files: fields, numbers and defaults, as data for ``schema``.

A message is a line of fields ``name=number:type=default``. A type is one of protobuf's, a message of these tables or
an enumeration spelt out with its values, numbered from 0 unless it says otherwise; ``*`` after it means repeated, and
``+`` repeated and packed.
"""

from __future__ import annotations

ENGINE = "Engine{DEFAULT,CAFFE,CUDNN}=DEFAULT"
POOL = "PoolMethod{MAX,AVE,STOCHASTIC}=MAX"
AFFINE_MAP = "base=1:float=-1 scale=2:float=1 shift=3:float=0"  # what Exp and Log do to their input
OLD_TRANSFORM = "scale=2:float=1 mean_file=3:string crop_size=5:uint32=0 mirror=6:bool=false"  # fields of data layers

ARRAYS = {
    "BlobShape": "dim=1:int64+",
    "BlobProto": """shape=7:BlobShape data=5:float+ diff=6:float+ double_data=8:double+ double_diff=9:double+
        num=1:int32=0 channels=2:int32=0 height=3:int32=0 width=4:int32=0""",
    "BlobProtoVector": "blobs=1:BlobProto*",
    "Datum": """channels=1:int32 height=2:int32 width=3:int32 data=4:bytes label=5:int32 float_data=6:float*
        encoded=7:bool=false""",
}

NET = {
    "NetParameter": """name=1:string input=3:string* input_shape=8:BlobShape* input_dim=4:int32*
        force_backward=5:bool=false state=6:NetState debug_info=7:bool=false layer=100:LayerParameter*
        layers=2:V1LayerParameter*""",
    "NetState": "phase=1:Phase=TEST level=2:int32=0 stage=3:string*",
    "NetStateRule": "phase=1:Phase min_level=2:int32 max_level=3:int32 stage=4:string* not_stage=5:string*",
    "ParamSpec": """name=1:string share_mode=2:DimCheckMode{STRICT,PERMISSIVE} lr_mult=3:float=1
        decay_mult=4:float=1""",
    "FillerParameter": """type=1:string=constant value=2:float=0 min=3:float=0 max=4:float=1 mean=5:float=0
        std=6:float=1 sparse=7:int32=-1 variance_norm=8:VarianceNorm{FAN_IN,FAN_OUT,AVERAGE}=FAN_IN""",
    "LayerParameter": """name=1:string type=2:string bottom=3:string* top=4:string* phase=10:Phase
        loss_weight=5:float* param=6:ParamSpec* blobs=7:BlobProto* propagate_down=11:bool* include=8:NetStateRule*
        exclude=9:NetStateRule* transform_param=100:TransformationParameter loss_param=101:LossParameter
        accuracy_param=102:AccuracyParameter argmax_param=103:ArgMaxParameter
        batch_norm_param=139:BatchNormParameter bias_param=141:BiasParameter clip_param=148:ClipParameter
        concat_param=104:ConcatParameter contrastive_loss_param=105:ContrastiveLossParameter
        convolution_param=106:ConvolutionParameter crop_param=144:CropParameter data_param=107:DataParameter
        dropout_param=108:DropoutParameter dummy_data_param=109:DummyDataParameter
        eltwise_param=110:EltwiseParameter elu_param=140:ELUParameter embed_param=137:EmbedParameter
        exp_param=111:ExpParameter flatten_param=135:FlattenParameter hdf5_data_param=112:HDF5DataParameter
        hdf5_output_param=113:HDF5OutputParameter hinge_loss_param=114:HingeLossParameter
        image_data_param=115:ImageDataParameter infogain_loss_param=116:InfogainLossParameter
        inner_product_param=117:InnerProductParameter input_param=143:InputParameter log_param=134:LogParameter
        lrn_param=118:LRNParameter memory_data_param=119:MemoryDataParameter mvn_param=120:MVNParameter
        parameter_param=145:ParameterParameter pooling_param=121:PoolingParameter power_param=122:PowerParameter
        prelu_param=131:PReLUParameter python_param=130:PythonParameter recurrent_param=146:RecurrentParameter
        reduction_param=136:ReductionParameter relu_param=123:ReLUParameter reshape_param=133:ReshapeParameter
        scale_param=142:ScaleParameter sigmoid_param=124:SigmoidParameter softmax_param=125:SoftmaxParameter
        spp_param=132:SPPParameter slice_param=126:SliceParameter swish_param=147:SwishParameter
        tanh_param=127:TanHParameter threshold_param=128:ThresholdParameter tile_param=138:TileParameter
        window_data_param=129:WindowDataParameter own=100000:string*""",
}

COMPUTE = {
    "LossParameter": """ignore_label=1:int32 normalization=3:NormalizationMode{FULL,VALID,BATCH_SIZE,NONE}=VALID
        normalize=2:bool""",
    "AccuracyParameter": "top_k=1:uint32=1 axis=2:int32=1 ignore_label=3:int32",
    "ArgMaxParameter": "out_max_val=1:bool=false top_k=2:uint32=1 axis=3:int32",
    "BatchNormParameter": "use_global_stats=1:bool moving_average_fraction=2:float=.999 eps=3:float=1e-5",
    "BiasParameter": "axis=1:int32=1 num_axes=2:int32=1 filler=3:FillerParameter",
    "ClipParameter": "min=1:float max=2:float",
    "ConcatParameter": "axis=2:int32=1 concat_dim=1:uint32=1",
    "ContrastiveLossParameter": "margin=1:float=1 legacy_version=2:bool=false",
    "ConvolutionParameter": f"""num_output=1:uint32 bias_term=2:bool=true pad=3:uint32* kernel_size=4:uint32*
        stride=6:uint32* dilation=18:uint32* pad_h=9:uint32=0 pad_w=10:uint32=0 kernel_h=11:uint32
        kernel_w=12:uint32 stride_h=13:uint32 stride_w=14:uint32 group=5:uint32=1 weight_filler=7:FillerParameter
        bias_filler=8:FillerParameter engine=15:{ENGINE} axis=16:int32=1 force_nd_im2col=17:bool=false""",
    "CropParameter": "axis=1:int32=2 offset=2:uint32*",
    "DropoutParameter": "dropout_ratio=1:float=0.5",
    "EltwiseParameter": "operation=1:EltwiseOp{PROD,SUM,MAX}=SUM coeff=2:float* stable_prod_grad=3:bool=true",
    "ELUParameter": "alpha=1:float=1",
    "EmbedParameter": """num_output=1:uint32 input_dim=2:uint32 bias_term=3:bool=true weight_filler=4:FillerParameter
        bias_filler=5:FillerParameter""",
    "ExpParameter": AFFINE_MAP,
    "FlattenParameter": "axis=1:int32=1 end_axis=2:int32=-1",
    "HingeLossParameter": "norm=1:Norm{L1=1,L2=2}=L1",
    "InfogainLossParameter": "source=1:string axis=2:int32=1",
    "InnerProductParameter": """num_output=1:uint32 bias_term=2:bool=true weight_filler=3:FillerParameter
        bias_filler=4:FillerParameter axis=5:int32=1 transpose=6:bool=false""",
    "LogParameter": AFFINE_MAP,
    "LRNParameter": f"""local_size=1:uint32=5 alpha=2:float=1 beta=3:float=0.75
        norm_region=4:NormRegion{{ACROSS_CHANNELS,WITHIN_CHANNEL}}=ACROSS_CHANNELS k=5:float=1 engine=6:{ENGINE}""",
    "MVNParameter": "normalize_variance=1:bool=true across_channels=2:bool=false eps=3:float=1e-9",
    "ParameterParameter": "shape=1:BlobShape",
    "PoolingParameter": f"""pool=1:{POOL} pad=4:uint32=0 pad_h=9:uint32=0 pad_w=10:uint32=0 kernel_size=2:uint32
        kernel_h=5:uint32 kernel_w=6:uint32 stride=3:uint32=1 stride_h=7:uint32 stride_w=8:uint32
        engine=11:{ENGINE} global_pooling=12:bool=false round_mode=13:RoundMode{{CEIL,FLOOR}}=CEIL""",
    "PowerParameter": "power=1:float=1 scale=2:float=1 shift=3:float=0",
    "PReLUParameter": "filler=1:FillerParameter channel_shared=2:bool=false",
    "PythonParameter": "module=1:string layer=2:string param_str=3:string share_in_parallel=4:bool=false",
    "RecurrentParameter": """num_output=1:uint32=0 weight_filler=2:FillerParameter bias_filler=3:FillerParameter
        debug_info=4:bool=false expose_hidden=5:bool=false""",
    "ReductionParameter": "operation=1:ReductionOp{SUM=1,ASUM=2,SUMSQ=3,MEAN=4}=SUM axis=2:int32=0 coeff=3:float=1",
    "ReLUParameter": f"negative_slope=1:float=0 engine=2:{ENGINE}",
    "ReshapeParameter": "shape=1:BlobShape axis=2:int32=0 num_axes=3:int32=-1",
    "ScaleParameter": """axis=1:int32=1 num_axes=2:int32=1 filler=3:FillerParameter bias_term=4:bool=false
        bias_filler=5:FillerParameter""",
    "SigmoidParameter": f"engine=1:{ENGINE}",
    "SliceParameter": "axis=3:int32=1 slice_point=2:uint32* slice_dim=1:uint32=1",
    "SoftmaxParameter": f"engine=1:{ENGINE} axis=2:int32=1",
    "SPPParameter": f"pyramid_height=1:uint32 pool=2:{POOL} engine=6:{ENGINE}",
    "SwishParameter": "beta=1:float=1",
    "TanHParameter": f"engine=1:{ENGINE}",
    "ThresholdParameter": "threshold=1:float=0",
    "TileParameter": "axis=1:int32=1 tiles=2:int32",
}

DATA = {
    "TransformationParameter": """scale=1:float=1 mirror=2:bool=false crop_size=3:uint32=0 mean_file=4:string
        mean_value=5:float* force_color=6:bool=false force_gray=7:bool=false""",
    "DataParameter": f"""source=1:string batch_size=4:uint32 rand_skip=7:uint32=0 backend=8:DB{{LEVELDB,LMDB}}=LEVELDB
        {OLD_TRANSFORM} force_encoded_color=9:bool=false prefetch=10:uint32=4""",
    "DummyDataParameter": """data_filler=1:FillerParameter* shape=6:BlobShape* num=2:uint32* channels=3:uint32*
        height=4:uint32* width=5:uint32*""",
    "HDF5DataParameter": "source=1:string batch_size=2:uint32 shuffle=3:bool=false",
    "HDF5OutputParameter": "file_name=1:string",
    "ImageDataParameter": f"""source=1:string batch_size=4:uint32=1 rand_skip=7:uint32=0 shuffle=8:bool=false
        new_height=9:uint32=0 new_width=10:uint32=0 is_color=11:bool=true {OLD_TRANSFORM} root_folder=12:string""",
    "InputParameter": "shape=1:BlobShape*",
    "MemoryDataParameter": "batch_size=1:uint32 channels=2:uint32 height=3:uint32 width=4:uint32",
    "WindowDataParameter": f"""source=1:string {OLD_TRANSFORM} batch_size=4:uint32 fg_threshold=7:float=0.5
        bg_threshold=8:float=0.5 fg_fraction=9:float=0.25 context_pad=10:uint32=0 crop_mode=11:string=warp
        cache_images=12:bool=false root_folder=13:string""",
}

SOLVER = {
    "SolverParameter": """net=24:string net_param=25:NetParameter train_net=1:string test_net=2:string*
        train_net_param=21:NetParameter test_net_param=22:NetParameter* train_state=26:NetState
        test_state=27:NetState* test_iter=3:int32* test_interval=4:int32=0 test_compute_loss=19:bool=false
        test_initialization=32:bool=true base_lr=5:float display=6:int32 average_loss=33:int32=1 max_iter=7:int32
        iter_size=36:int32=1 lr_policy=8:string gamma=9:float power=10:float momentum=11:float weight_decay=12:float
        regularization_type=29:string=L2 stepsize=13:int32 stepvalue=34:int32* clip_gradients=35:float=-1
        snapshot=14:int32=0 snapshot_prefix=15:string snapshot_diff=16:bool=false
        snapshot_format=37:SnapshotFormat{HDF5,BINARYPROTO}=BINARYPROTO solver_mode=17:SolverMode{CPU,GPU}=GPU
        device_id=18:int32=0 random_seed=20:int64=-1 type=40:string=SGD delta=31:float=1e-8 momentum2=39:float=0.999
        rms_decay=38:float=0.99 debug_info=23:bool=false snapshot_after_train=28:bool=true
        solver_type=30:SolverType{SGD,NESTEROV,ADAGRAD,RMSPROP,ADADELTA,ADAM}=SGD layer_wise_reduce=41:bool=true
        weights=42:string*""",
    "SolverState": "iter=1:int32 learned_net=2:string history=3:BlobProto* current_step=4:int32=0",
}
